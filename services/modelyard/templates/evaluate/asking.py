"""A model that is asked about the examples of a split: batches of inputs as it takes them, with the truth beside them.

Each input of the signature `serving_default` must be a batch, named like a feature of the dataset or the only one of
its kind (`modelyard.templates.fitting`); the answers are a number for each class, or one number.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.job.errors import DatasetUnsuitable, ModelUnsuitable
from modelyard.job.index import Index
from modelyard.layouts import Feature
from modelyard.templates.evaluate.task import PROBABILITIES
from modelyard.templates.fitting import DEFAULT, ONE, fit
from modelyard.templates.needs import DataSeen
from modelyard.templates.predict.feeding import Feed
from modelyard.templates.saved import InputRefused, Saved

Inputs = Mapping[str, NDArray[Any]]
TARGETS = ("target", "rating")
_WANTED = (
    f"A model that can be evaluated has a signature {DEFAULT!r} whose inputs are named like the dataset's features, "
    "and answers a number for each class, or one number"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """Some examples that can be judged, n of them."""

    rows: NDArray[np.int64]
    """Their numbers in the split."""
    inputs: Inputs
    """By the names of the signature's inputs, [n, …] each."""
    truth: NDArray[Any]
    """[n]: numbers of classes, or numbers."""


class Asking:
    """Raises ModelUnsuitable, DatasetUnsuitable and DatasetNotForModel."""

    def __init__(self, model: Saved, index: Index, split: str, data: DataSeen, *, output: str, scale: float) -> None:
        """`output` names the output to judge, where there are several; `data` is the dataset as `fit` sees it."""
        signatures = model.signatures
        if DEFAULT not in signatures:
            there = ", ".join(sorted(f"{name:.60}" for name in signatures)[:10]) or "none"
            raise ModelUnsuitable(f"the model has no signature {DEFAULT!r}; it has {there}. {_WANTED}")
        self.model = model
        self.examples = index.split(split)
        self.target = _target(index)
        self.fitted = fit(signatures[DEFAULT], data, kinds=model.kinds)
        """Input -> feature."""
        self.features = {name: index.features[feature] for name, feature in self.fitted.items()}
        """Input -> what it is."""
        if self.target.name in self.fitted.values():
            raise ModelUnsuitable(f"the model takes {self.target.name!r}, which is what it shall answer")
        self.left_out: Counter[str] = Counter()
        """Why examples of the batches so far were not judged."""
        self.unreadable: dict[int, str] = {}
        """Those of them that cannot be decoded, by their numbers, and why."""
        self.output = output
        self._feed = Feed(signatures[DEFAULT], index.features, self.fitted, about=model.description, scale=scale, k=1)

    def batches(self, size: int) -> Iterator[Asked]:
        """The whole split, at most so many at once; the next ones are read and decoded while the model is asked about
        these."""
        spans = self._feed.spans(self.examples, np.arange(len(self.examples)), size)
        with ThreadPoolExecutor(1, "feed") as pool:
            waiting = pool.submit(self._read, next(spans))
            for rows in spans:
                read, waiting = waiting.result(), pool.submit(self._read, rows)
                yield self._counted(*read)
            yield self._counted(*waiting.result())

    def some(self, rows: NDArray[np.int64]) -> Asked:
        """These examples, rising; those that cannot be judged are left out."""
        return self._read(rows)[0]

    def _read(self, rows: NDArray[np.int64]) -> tuple[Asked, int, Mapping[int, str]]:
        """The examples; how many have no truth, and which cannot be decoded."""
        truth = np.asarray(self.examples.column(self.target.name).values[rows]).reshape(-1)
        known = np.isfinite(truth) if self.target.kind == "number" else truth >= 0
        unknown = int((~known).sum())
        rows, truth = rows[known], truth[known]
        if not len(rows):
            return Asked(rows, {}, truth), unknown, {}
        batch = self._feed.batch(self.examples, rows)
        good = np.array([place not in batch.problems for place in range(len(rows))])
        unreadable = {int(rows[place]): reason for place, reason in batch.problems.items()}
        return Asked(rows[good], batch.inputs, truth[good]), unknown, unreadable

    def _counted(self, asked: Asked, unknown: int, unreadable: Mapping[int, str]) -> Asked:
        self.left_out["have no value to compare the answer with"] += unknown
        self.left_out["cannot be decoded"] += len(unreadable)
        self.left_out = +self.left_out
        self.unreadable |= unreadable
        return asked

    def ask_all(self, inputs: Inputs, size: int) -> NDArray[np.float64]:
        """The same as `ask`, so many examples at once."""
        count = len(next(iter(inputs.values())))
        parts = [
            self.ask({name: values[start : start + size] if values.ndim else values for name, values in inputs.items()})
            for start in range(0, count, size)
        ]
        return np.concatenate(parts)

    def ask(self, inputs: Inputs) -> NDArray[np.float64]:
        """Values [n, k]; raises ModelUnsuitable where the model fails or answers anything else."""
        count = len(next(iter(inputs.values())))
        try:
            outputs = self.model.ask(DEFAULT, inputs)
        except InputRefused as error:
            raise ModelUnsuitable(f"{error.message} (on {count} examples)") from error
        self.output = _output(outputs, self.output)
        answers = outputs[self.output]
        if answers.ndim == 1:
            answers = answers[:, None]
        if answers.ndim != 2 or len(answers) != count or not answers.shape[1]:
            raise ModelUnsuitable(
                f"the model's output {self.output!r} is {list(answers.shape)} for {count} examples. {_WANTED}"
            )
        return np.asarray(answers, np.float64)


def _target(index: Index) -> Feature:
    """What the answers are compared with: the only category or number that is a target."""
    targets = [feature for feature in index.features.values() if feature.role in TARGETS]
    single = [each for each in targets if each.shape in ONE and each.kind in ("category", "number")]
    if len(single) != 1:
        there = ", ".join(f"{each.name} ({each.kind})" for each in targets) or "none"
        raise DatasetUnsuitable(
            f"a model is judged on one target, a category or a number; the dataset's targets: {there}", field="dataset"
        )
    return single[0]


def _output(outputs: Mapping[str, NDArray[Any]], asked: str) -> str:
    there = ", ".join(sorted(f"{name:.60}" for name in outputs)[:10])
    if asked:
        if asked not in outputs:
            raise ModelUnsuitable(f"the model has no output {asked!r}; it has {there}", field="output")
        return asked
    if PROBABILITIES in outputs:
        return PROBABILITIES
    numbers = [name for name, values in outputs.items() if values.dtype.kind == "f" or "float" in values.dtype.name]
    if len(numbers) != 1:
        hint = f"; say which is to be judged with --set output=NAME ({there})" if numbers else ""
        raise ModelUnsuitable(f"{DEFAULT!r} has {len(numbers)} outputs of floats{hint}. {_WANTED}", field="output")
    return numbers[0]
