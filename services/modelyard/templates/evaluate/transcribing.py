"""A model that writes down what it sees or hears is compared with the transcripts, symbol by symbol."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.job.errors import DatasetUnsuitable, ModelUnsuitable
from modelyard.job.session import Context
from modelyard.job.spread import spread
from modelyard.templates.evaluate.detecting import left_out
from modelyard.templates.evaluate.document import FORMAT, About
from modelyard.templates.evaluate.exhibits import exhibit
from modelyard.templates.evaluate.transcription import Transcription, aligned, cer, constant
from modelyard.templates.fitting import DEFAULT, fit
from modelyard.templates.needs import DataSeen
from modelyard.templates.predict.feeding import Feed
from modelyard.templates.saved import InputRefused, Saved

TASKS = ("text-recognition", "speech-recognition")
TRANSCRIPT, CONFIDENCE = "transcript", "confidence"
MOST_CONFUSED = 30
MOST_SWAPPED = 500
MOST_COUNTED = 20_000
"""Transcripts of training that the floor is made of."""
_SEED = 20260101


class Writing:
    """A model that is asked for transcripts. Raises ModelUnsuitable, DatasetUnsuitable and DatasetNotForModel."""

    def __init__(self, context: Context, model: Saved, split: str, data: DataSeen) -> None:
        index = context.data.index
        if DEFAULT not in model.signatures:
            there = ", ".join(sorted(model.signatures)) or "none"
            raise ModelUnsuitable(f"the model has no signature {DEFAULT!r} to ask; it has {there}", field="model")
        texts = [each for each in index.features.values() if each.kind == "text" and each.role == "target"]
        if len(texts) != 1:
            targets = ", ".join(f"{each.name} ({each.kind})" for each in index.description.targets)
            raise DatasetUnsuitable(
                f"what a model writes down is compared with one text; the dataset's targets: {targets or 'none'}",
                field="dataset",
            )
        self.target = texts[0].name
        inputs = model.signatures[DEFAULT]
        self.fitted = fit(inputs, data, kinds=model.kinds)
        self.features = {name: index.features[feature] for name, feature in self.fitted.items()}
        self.examples = index.split(split)
        self.left_out: Counter[str] = Counter()
        self.unreadable: dict[int, str] = {}
        """Rows that cannot be decoded, and why."""
        self._model = model
        about, scale = model.description, context.params.scale
        self._feed = Feed(inputs, index.features, self.fitted, about=about, scale=scale, k=1)

    def read(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], dict[str, NDArray[Any]], list[str]]:
        """Those of the rows that can be asked about, their inputs and the true transcripts."""
        batch = self._feed.batch(self.examples, rows)
        if batch.problems:
            self.unreadable |= {int(rows[place]): reason for place, reason in batch.problems.items()}
            rows = rows[[place not in batch.problems for place in range(len(rows))]]
        texts = self.examples.column(self.target).gather(rows)
        return rows, dict(batch.inputs), [text.decode("utf-8", "replace").strip() for text in texts]

    def spans(self, size: int) -> Iterator[NDArray[np.int64]]:
        """All rows, in batches of at most so many."""
        return self._feed.spans(self.examples, np.arange(len(self.examples)), size)

    def ask(self, inputs: dict[str, NDArray[Any]], count: int) -> tuple[list[str], list[float | None]]:
        """What it writes, and how sure it is where it says that."""
        try:
            outputs = self._model.ask(DEFAULT, inputs)
        except InputRefused as error:
            raise ModelUnsuitable(f"{error.message} (on {count} examples)") from error
        said = outputs.get(TRANSCRIPT)
        if said is None or said.shape != (count,) or said.dtype.kind not in "OS":
            raise ModelUnsuitable(
                f"the model answers no text {TRANSCRIPT!r} an example; it answers {', '.join(sorted(outputs))}"
            )
        sure = outputs.get(CONFIDENCE)
        known = sure is not None and sure.shape == (count,) and bool(np.isfinite(sure).all())
        written = [bytes(text).decode("utf-8", "replace").strip() for text in said.tolist()]
        return written, [float(each) for each in sure] if known and sure is not None else [None] * count


def evaluate(context: Context, model: Saved, split: str, data: DataSeen, about: About) -> dict[str, Any]:
    """evaluation.json's content. Raises ModelUnsuitable, DatasetUnsuitable and DatasetNotForModel."""
    writing, found = Writing(context, model, split, data), Transcription()
    size, count = context.params.batch_size, len(writing.examples)
    for asked in writing.spans(size):
        rows, inputs, true = writing.read(asked)
        if len(rows):
            said, sure = writing.ask(inputs, len(rows))
            for row, text, written, confidence in zip(rows.tolist(), true, said, sure, strict=True):
                found.add(row, text, written, confidence)
        context.progress(int(asked[-1]) + 1, count)
    if writing.unreadable:
        context.data.left_out.add(writing.examples, writing.unreadable)
    if found.too_long:
        writing.left_out["have transcripts too long to be compared"] += found.too_long
    if not found.judged:
        reasons = ", ".join(f"{many:,} {why}" for why, many in writing.left_out.items()) or "it is empty"
        raise DatasetUnsuitable(f"no example of split {split!r} can be judged: {reasons}", field="split")
    shown = list(writing.features.values())
    return {
        "format": FORMAT,
        "kind": "transcription",
        **asdict(about.told(examples=found.examples, read_as="text", output=TRANSCRIPT, random=())),
        "metrics": found.metrics(),
        "intervals": {name: list(each) for name, each in found.intervals().items()},
        "floors": _floors(context, writing, found),
        "inputs": {name: feature.kind for name, feature in writing.features.items()},
        **left_out(writing.examples, writing.unreadable, writing.left_out),
        "problems": context.data.index.problems,
        "controls": _controls(writing, size),
        "confused": [list(each) for each in found.confused(MOST_CONFUSED)],
        "mistakes": [
            {
                "example": each.row,
                "true": each.true,
                "said": each.said,
                "edits": each.edits,
                "confidence": each.confidence,
                "aligned": [[edit.true, edit.said] for edit in aligned(each)],
                **exhibit(writing.examples, shown, each.row),
            }
            for each in found.worst(context.params.mistakes)
        ],
    }


def _floors(context: Context, writing: Writing, found: Transcription) -> dict[str, Any]:
    """What one and the same transcript for all reaches."""
    index = context.data.index
    source = "train" if index.splits.get("train") else writing.examples.name
    examples = index.split(source)
    rows = spread(len(examples), MOST_COUNTED)
    texts = [text.decode("utf-8", "replace").strip() for text in examples.column(writing.target).gather(rows)]
    always = constant(texts)
    true = [each.true for each in found.judged]
    by = f"always {always[:40]!r}, at each place the most frequent symbol of {source}"
    return {
        "cer": {"value": cer(true, [always] * len(true)), "by": by},
        "exact": {"value": sum(text == always for text in true) / len(true), "by": by},
    }


def _controls(writing: Writing, size: int) -> list[dict[str, Any]]:
    """What is left of it where each example gets another's input."""
    rows, inputs, true = writing.read(spread(len(writing.examples), MOST_SWAPPED))
    if len(rows) < 2:
        return []
    said = _asked(writing, inputs, len(rows), size)
    # Each gets what was read for its neighbour in a random circle: the next row often says the same, in sorted sets.
    circle = np.random.default_rng(_SEED).permutation(len(rows))
    others = np.empty(len(rows), np.int64)
    others[circle] = np.roll(circle, 1)
    what = " and ".join(f"{name}s" for name in writing.features)
    return [
        {
            "name": f"{what} swapped",
            "says": "What is still right did not need to look.",
            "metric": "cer",
            "as_is": cer(true, said),
            "value": cer(true, [said[other] for other in others.tolist()]),
            "examples": len(rows),
        }
    ]


def _asked(writing: Writing, inputs: dict[str, NDArray[Any]], count: int, size: int) -> Sequence[str]:
    said: list[str] = []
    for start in range(0, count, size):
        part = {name: values[start : start + size] if values.ndim else values for name, values in inputs.items()}
        said += writing.ask(part, min(size, count - start))[0]
    return said
