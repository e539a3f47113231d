"""Two model versions on the same examples."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from modelyard.api.catalog.v1 import dataset_pb2, model_pb2
from modelyard.cli.outcome import finish
from modelyard.cli.output import console, show_facts, show_table, to_json
from modelyard.cli.reports import read_document
from modelyard.cli.suggest import suggesting
from modelyard.cli.watch import watch_job
from modelyard.sdk import Client
from modelyard.sdk.errors import NotFound
from modelyard.sdk.jobs import State
from modelyard.sdk.names import short

_LOWER_IS_BETTER = frozenset({"log_loss", "ece", "mce", "mae", "rmse", "cer", "plain_cer", "wer"})
_NO_GOAL = frozenset({"bias"})
_ENDS = ("_low", "_high")
"""Of an interval: they follow what they are of."""
_FIRST = ("accuracy", "auc", "rmse", "mae", "r2")
"""Metrics that are shown first, the others by name."""
_Z_95 = 1.96
_MOST_CLASSES = 20


@dataclass(frozen=True, slots=True)
class Judged:
    """A version and how it did."""

    version: str
    evaluation: model_pb2.Evaluation
    recall: dict[str, tuple[float | None, int]] | None
    """By class: which part of its examples was told right, and how many there are; None where the report is gone."""
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """By metric, 95 %; of those that the report has one for."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The second version against the first."""

    first: Judged
    second: Judged

    def metrics(self) -> list[tuple[str, float | None, float | None]]:
        """Name and both values, None where one lacks it."""
        mine, other = self.first.evaluation.metrics, self.second.evaluation.metrics
        names = sorted({*mine, *other}, key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), name))
        return [(name, mine.get(name), other.get(name)) for name in names]

    def classes(self) -> list[tuple[str, float, float, int]]:
        """Name, both recalls and how many examples, of the classes that changed; the greatest change first."""
        rows = []
        first, second = self.first.recall or {}, self.second.recall or {}
        for name, (before, count) in first.items():
            after = second.get(name, (None, 0))[0]
            if before is not None and after is not None and before != after:
                rows.append((name, before, after, count))
        return sorted(rows, key=lambda row: (-abs(row[2] - row[1]), row[0]))

    def beyond_chance(self) -> dict[str, bool]:
        """Whether the values of a metric differ by more than chance would make them (95 %), as far as that is known.

        The versions count as judged on different examples, which says "no" too often rather than "yes".
        """
        found = {}
        for name, before, after in self.metrics():
            mine, other = self.first.intervals.get(name), self.second.intervals.get(name)
            if name != "accuracy" and mine and other and before is not None and after is not None:
                halves = ((high - low) / 2 for low, high in (mine, other))
                found[name] = abs(after - before) > math.hypot(*halves)
        accuracy = self.significant()
        return found if accuracy is None else {"accuracy": accuracy, **found}

    def significant(self) -> bool | None:
        """Whether the accuracies differ by more than chance would (95 %); None without accuracies."""
        values = [each.evaluation.metrics.get("accuracy") for each in (self.first, self.second)]
        counts = [each.evaluation.example_count for each in (self.first, self.second)]
        if values[0] is None or values[1] is None or not all(counts):
            return None
        pairs = zip(values, counts, strict=True)
        variance = sum(value * (1 - value) / count for value, count in pairs if value is not None)
        return abs(values[1] - values[0]) > _Z_95 * math.sqrt(variance)

    def to_json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "first": to_json(self.first.evaluation),
            "second": to_json(self.second.evaluation),
            "metrics": [
                {"name": name, "first": before, "second": after, "difference": _difference(before, after)}
                for name, before, after in self.metrics()
            ],
            "accuracy_differs_by_more_than_chance": self.significant(),
            "differs_by_more_than_chance": self.beyond_chance(),
            "classes": [
                {"name": name, "first_recall": before, "second_recall": after, "examples": count}
                for name, before, after, count in self.classes()
            ],
        }


def judge(
    client: Client, model: str, dataset: str, split: str, names: Callable[[], Iterable[str]], *, quiet: bool
) -> Judged:
    """The version's evaluation on a dataset version and split; one that is missing is made by a job, and waited for."""
    with suggesting("model", model, names):
        version = client.models.version(model).name
    split = split or held_out(client.datasets.input_spec(dataset))
    evaluation = _recorded(client, version, dataset, split)
    if evaluation is None:
        if not quiet:
            console().print(f"{short(version)} has not been judged on {split} of {short(dataset)} yet")
        created = client.jobs.create("evaluate", dataset, model_version=version, parameters={"split": split})
        ended = watch_job(client, created.name, quiet=quiet)
        if ended.state != State.STATE_SUCCEEDED:
            finish(client, ended, as_json=quiet)
        evaluation = _recorded(client, version, dataset, split)
    if evaluation is None:
        raise NotFound(f"{short(version)} has no evaluation on {short(dataset)}", reason="EVALUATION_NOT_FOUND")
    try:
        document = read_document(client, evaluation.report) if evaluation.report else {}
    except NotFound:
        return Judged(version, evaluation, None)
    recall = {each["name"]: (each["recall"], each["support"]) for each in document.get("classes", ())}
    intervals = {name: (low, high) for name, (low, high) in document.get("intervals", {}).items()}
    return Judged(version, evaluation, recall, intervals)


def held_out(spec: dataset_pb2.InputSpec) -> str:
    """The split that an evaluation takes by itself: validation, else test, else train."""
    there = {split.name for split in spec.splits if split.example_count}
    return next((name for name in ("validation", "test") if name in there), "train")


def _recorded(client: Client, version: str, dataset: str, split: str) -> model_pb2.Evaluation | None:
    return next((each for each in client.models.evaluations(version, dataset=dataset) if each.split == split), None)


def show_comparison(comparison: Comparison) -> None:
    """Metrics with their differences, then the classes that changed most."""
    first, second = short(comparison.first.version), short(comparison.second.version)
    evaluation = comparison.first.evaluation
    show_facts(
        [
            (
                "on",
                f"{short(evaluation.dataset_version)}, {evaluation.split}: {evaluation.example_count:,} examples",
            )
        ]
    )
    show_table(
        ("METRIC", first, second, "DIFFERENCE", ""),
        [
            (name, _number(before), _number(after), _signed(before, after), _verdict(name, before, after))
            for name, before, after in comparison.metrics()
        ],
    )
    for name, beyond in comparison.beyond_chance().items():
        values = "the accuracies differ" if name == "accuracy" else f"the values of {name} differ"
        console().print(f"{values} by {'more' if beyond else 'no more'} than chance would make them (95 %)")
    rows = comparison.classes()
    for each in (comparison.first, comparison.second):
        if each.recall is None:
            console().print(f"the classes of {short(each.version)} are gone: the report was deleted with its job")
    if rows:
        console().print()
        show_table(
            ("CLASS", "EXAMPLES", first, second, "TOLD RIGHT"),
            [
                (name, f"{count:,}", f"{before:.1%}", f"{after:.1%}", f"{after - before:+.1%}")
                for name, before, after, count in rows[:_MOST_CLASSES]
            ],
        )
        if len(rows) > _MOST_CLASSES:
            console().print(f"and {len(rows) - _MOST_CLASSES} more classes with smaller differences; -o json has all")


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.5g}"


def _signed(before: float | None, after: float | None) -> str:
    difference = _difference(before, after)
    return "" if difference is None else f"{difference:+.4g}" if difference else "same"


def _verdict(name: str, before: float | None, after: float | None) -> str:
    difference = _difference(before, after)
    if not difference or name in _NO_GOAL or name.endswith(_ENDS):
        return ""
    return "better" if (difference < 0) == (name in _LOWER_IS_BETTER) else "worse"
