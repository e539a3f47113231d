"""evaluation.json, format 1. What has no value (nothing to divide by) is null.

    format         1
    kind           "classification" | "regression"
    split          which part of the dataset
    examples       how many were asked
    read_as        what the answers were taken for: "probabilities", "logits", "second class's probability",
                   "second class's logit", "number"
    output         the model's output that was judged
    seconds        how long it took
    model, dataset  resource names of the versions; "" where the job was not told
    date           when it was done: UTC, ISO 8601, to the second
    random         the operations with which the model draws random numbers, if it answers the same examples differently
                   each time: another evaluation finds other numbers
    metrics        {name: number}: accuracy, accuracy_low and accuracy_high (Wilson, 95 %), macro_precision,
                   macro_recall, macro_f1, log_loss, top5_accuracy (from 10 classes on), ece, mce; of a regression
                   mae, rmse, bias, r2
    matched_by     "name" | "position": how the model's answers were brought together with the dataset's classes
    classes        [{name, support, predicted, precision, recall, f1}], the dataset's first; its numbers are used below
    unknown_to_model, unknown_to_dataset, without_examples   names of classes
    confusion      [[true class, predicted class, examples]], where there are any, in order
    calibration    {bins: [{low, high, count, confidence, accuracy}], ece, mce}
    mistakes       [{example, path, true, predicted, probability, true_probability, image}], the worst first: example
                   is its number in the split, path its file in the dataset (with its place in it where one file has
                   many), true and predicted are classes' numbers, image is a data URI (PNG)

A regression has neither classes nor what refers to them. A reader refuses other formats; keys may be added to a format.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from modelyard.templates.evaluate.classification import Classification
from modelyard.templates.evaluate.mistakes import Mistake
from modelyard.templates.evaluate.pictures import data_uri
from modelyard.templates.evaluate.regression import Regression

FORMAT = 1


@dataclass(frozen=True, slots=True)
class About:
    """What was asked."""

    split: str
    examples: int
    read_as: str
    output: str
    seconds: float
    model: str = ""
    dataset: str = ""
    date: str = ""
    random: tuple[str, ...] = ()


def of_regression(about: About, regression: Regression) -> dict[str, Any]:
    """The document of one number an example."""
    return {"format": FORMAT, "kind": "regression", **asdict(about), "metrics": regression.metrics()}


def of_classification(
    about: About, found: Classification, mistakes: Sequence[Mistake], path: Callable[[int], str] = lambda _: ""
) -> dict[str, Any]:
    """The document of a classifier; `path` says where in the dataset an example lies."""
    classes = found.classes()
    matching = found.matching
    known = classes[: matching.known_to_dataset]
    return {
        "format": FORMAT,
        "kind": "classification",
        **asdict(about),
        "metrics": found.metrics(),
        "matched_by": "name" if matching.by_name else "position",
        "classes": [asdict(each) for each in classes],
        "unknown_to_model": list(matching.unknown_to_model),
        "unknown_to_dataset": list(matching.unknown_to_dataset),
        "without_examples": [each.name for each in known if not each.support],
        "confusion": [[*pair, count] for pair, count in sorted(found.confusion.items())],
        "calibration": {
            "bins": [asdict(each) for each in found.reliability.bins],
            "ece": found.reliability.expected_error,
            "mce": found.reliability.maximum_error,
        },
        "mistakes": [
            {
                "example": each.example,
                "path": path(each.example),
                "true": each.true,
                "predicted": each.predicted,
                "probability": each.probability,
                "true_probability": each.true_probability,
                "image": data_uri(each.image),
            }
            for each in mistakes
        ],
    }


def write(path: Path, found: dict[str, Any]) -> None:
    """Raises ValueError for a number that JSON does not have."""
    path.write_text(json.dumps(found, ensure_ascii=False, allow_nan=False, indent=1), encoding="utf-8")
