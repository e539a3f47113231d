"""A model that answers a text with a text, a translation or a summary, is compared with what was written for it."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.job.errors import DatasetUnsuitable, ModelUnsuitable
from modelyard.job.index import Examples
from modelyard.job.session import Context
from modelyard.job.spread import spread
from modelyard.templates.evaluate import shuffling, simple_writers, wording
from modelyard.templates.evaluate.document import FORMAT, About
from modelyard.templates.fitting import DEFAULT, fit
from modelyard.templates.needs import DataSeen
from modelyard.templates.saved import InputRefused, Saved

TEXT = "text"
"""The output that is judged without being asked for."""
SHOWN = 12
MOST_CONTROLLED = 300
_SEED = 20260101
Texts = NDArray[np.object_]


def is_for(data: DataSeen) -> bool:
    """Whether a text is what such a dataset wants for a text."""
    return data.kinds("target") == ["text"] and set(data.kinds("input")) == {"text"}


def evaluate(context: Context, model: Saved, split: str, data: DataSeen, about: About) -> dict[str, Any]:
    """evaluation.json's content. Raises ModelUnsuitable, DatasetUnsuitable and DatasetNotForModel."""
    asking = Asking(context, model, data)
    examples = context.data.index.split(split)
    pairs = _pairs(examples, asking)
    train = context.data.index.split("train") if context.splits.get("train") else None
    kept, left_out = _judged(pairs, _column(train, asking.source) if train and split != "train" else None)
    if not len(kept):
        reasons = ", ".join(f"{count:,} {why}" for why, count in left_out.items()) or "it is empty"
        raise DatasetUnsuitable(f"no example of split {split!r} can be judged: {reasons}", field="split")
    sources, references = pairs.sources[kept], [_text(raw) for raw in pairs.references[kept]]
    answers = asking.answers(sources, context)
    task = str(model.description.get("task", ""))
    found = wording.compared(answers, references)
    example = _Shower(examples, kept, sources, references, answers, found.each)
    order = np.argsort(found.each, kind="stable")
    even = spread(len(kept), SHOWN)
    learnt = _learnt(train, asking) if train and task != wording.SUMMARISATION else []
    return {
        "format": FORMAT,
        "kind": "writing",
        **asdict(about.told(examples=len(kept), read_as="text", output=asking.output, random=())),
        "task": task,
        "metrics": wording.metrics(found, task),
        "intervals": {name: list(ends) for name, ends in wording.intervals(found).items()},
        "floors": simple_writers.floors(task, [_text(raw) for raw in sources], references, learnt),
        "inputs": {asking.input: "text"},
        "left_out": left_out,
        "problems": context.data.index.problems,
        "controls": _controls(asking, context, sources, references, answers, task),
        "worst": [example(int(at)) for at in order[: context.params.mistakes]],
        "shown": [example(int(at)) for at in even],
    }


@dataclass(frozen=True, slots=True)
class _Pairs:
    sources: Texts
    references: Texts


class Asking:
    """Which texts the model takes and gives."""

    def __init__(self, context: Context, model: Saved, data: DataSeen) -> None:
        signatures = model.signatures
        if DEFAULT not in signatures:
            there = ", ".join(sorted(f"{name:.60}" for name in signatures)[:10]) or "none"
            raise ModelUnsuitable(f"the model has no signature {DEFAULT!r}; it has {there}")
        fitted = fit(signatures[DEFAULT], data, kinds=model.kinds)
        if len(fitted) != 1:
            raise ModelUnsuitable(
                f"the dataset wants one text for another, and the model takes {len(fitted)} inputs: {', '.join(fitted)}"
            )
        ((self.input, self.source),) = fitted.items()
        self.target = next(each.name for each in data.features if each.role == "target")
        if self.source == self.target:
            raise ModelUnsuitable(f"the model takes {self.target!r}, which is what it shall answer")
        self.output = context.params.output
        self._model, self._size = model, context.params.batch_size

    def answers(self, sources: Texts, context: Context | None = None) -> list[str]:
        """One a source; short ones are asked beside short ones, for a batch takes as long as its longest."""
        order = np.argsort([len(text) for text in sources], kind="stable")
        found = [""] * len(sources)
        for start in range(0, len(order), self._size):
            rows = order[start : start + self._size]
            for row, text in zip(rows.tolist(), self._ask(sources[rows]), strict=True):
                found[row] = _text(text)
            if context is not None:
                context.progress(start + len(rows), len(order))
        return found

    def _ask(self, sources: Texts) -> list[bytes]:
        try:
            outputs = self._model.ask(DEFAULT, {self.input: sources})
        except InputRefused as error:
            raise ModelUnsuitable(f"{error.message} (on {len(sources)} examples)") from error
        texts = [name for name, values in outputs.items() if values.dtype == object and values.ndim == 1]
        name = self.output or (TEXT if TEXT in texts else texts[0] if len(texts) == 1 else "")
        if name not in texts:
            there = ", ".join(f"{key} ({values.dtype.name} {list(values.shape)})" for key, values in outputs.items())
            raise ModelUnsuitable(
                f"a model that writes answers one text an example, called {TEXT!r} or named with --set output=NAME; "
                f"this one answers {there}",
                field="output",
            )
        self.output = name
        return list(outputs[name].tolist())


class _Shower:
    """An example as the page shows it, by its place among those that are judged."""

    def __init__(
        self,
        examples: Examples,
        rows: NDArray[np.int64],
        sources: Texts,
        references: list[str],
        answers: list[str],
        scores: NDArray[np.float64],
    ) -> None:
        self._examples, self._rows = examples, rows
        self._sources, self._references, self._answers, self._scores = sources, references, answers, scores

    def __call__(self, at: int) -> dict[str, Any]:
        row = int(self._rows[at])
        return {
            "example": row,
            "path": self._examples.origin(row),
            "source": _text(self._sources[at]),
            "reference": self._references[at],
            "answer": self._answers[at],
            "chrf": float(self._scores[at]),
        }


def _pairs(examples: Examples, asking: Asking) -> _Pairs:
    return _Pairs(*(_column(examples, name) for name in (asking.source, asking.target)))


def _column(examples: Examples, name: str, most: int | None = None) -> Texts:
    """The texts of the first so many examples, or of all."""
    return examples.column(name).between(0, len(examples) if most is None else min(most, len(examples)))


def _learnt(train: Examples, asking: Asking) -> list[tuple[str, str]]:
    """What a dictionary is made of."""
    some = (_column(train, name, simple_writers.MOST_PAIRS) for name in (asking.source, asking.target))
    return list(zip(*(map(_text, texts) for texts in some), strict=True))


def _judged(pairs: _Pairs, train: Texts | None) -> tuple[NDArray[np.int64], dict[str, int]]:
    """Places of the examples that can be judged, and why others can't; `train`: its sources."""
    written = np.array([bool(text.strip()) for text in pairs.references], bool)
    learnt = frozenset(() if train is None else train.tolist())
    new = np.array([text not in learnt for text in pairs.sources], bool)
    left_out = {
        "have no text to compare the answer with": int((~written).sum()),
        "have a source that is in train": int((written & ~new).sum()),
    }
    return np.flatnonzero(written & new), {why: count for why, count in left_out.items() if count}


def _controls(
    asking: Asking, context: Context, sources: Texts, references: list[str], answers: list[str], task: str
) -> list[dict[str, Any]]:
    """What is left where the sources are another's, or their words (or symbols) are in another order."""
    some = spread(len(sources), MOST_CONTROLLED)
    if len(some) < 2:
        return []
    metric, random = wording.headline(task), np.random.default_rng(_SEED)
    wanted = [references[at] for at in some]

    def figure(said: list[str]) -> float:
        return wording.metrics(wording.compared(said, wanted), task)[metric]

    # Each gets the source of its neighbour in a random circle, so that none keeps its own.
    circle = random.permutation(len(some))
    others = np.empty_like(circle)
    others[circle] = np.roll(circle, 1)
    parts, shuffle = shuffling.of_texts(sources[some])
    ways = {
        f"another's {asking.source}": (
            "What is still right, the model says of any source: a writer that ignores it loses nothing.",
            sources[some][others],
        ),
        f"{parts} of {asking.source} shuffled": (
            "What is still right did not need their order.",
            shuffle(sources[some], random),
        ),
    }
    as_is = figure([answers[at] for at in some])
    return [
        {
            "name": name,
            "says": says,
            "metric": metric,
            "as_is": as_is,
            "value": figure(asking.answers(changed)),
            "examples": len(some),
        }
        for name, (says, changed) in ways.items()
    ]


def _text(raw: Any) -> str:
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
