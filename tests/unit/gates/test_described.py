"""What clients need to know of a model's inputs, out of a description that others may have written."""

import json
from typing import Any

import pytest

from modelyard.trainer.gates.described import told
from modelyard.trainer.gates.scanned import Scanned
from modelyard.trainer.gates.verdict import Described, Meaning


def described(description: dict[str, Any]) -> Described:
    """What the scanner's process says of it, as the worker takes it."""
    scanned = Scanned()
    for kind, values in told(description):
        scanned.take(json.dumps({kind: values}))
    return scanned.described


def test_kinds_classes_rate_and_categories_are_told() -> None:
    found = described(
        {
            "task": "audio-classification",
            "classes": ["no", "yes"],
            "inputs": {"audio": "audio", "job": "category", "age": "number"},
            "audio": {"sample_rate": 16_000, "seconds": 1.5},
            "categories": {"job": ["clerk", "cook"]},
        }
    )
    assert found == Described(
        "audio-classification",
        ("no", "yes"),
        {
            "audio": Meaning("audio", 16_000, 1.5),
            "job": Meaning("category", categories=("clerk", "cook")),
            "age": Meaning("number"),
        },
    )


@pytest.mark.parametrize(
    "description",
    [
        {},
        {"task": 3, "classes": "ab", "inputs": ["x"]},
        {"classes": ["a", 3]},
        {"classes": [str(number) for number in range(1001)]},
        {"inputs": {"x": "No Word", "y": None}},
        {"inputs": {"x" * 300: "text"}},
    ],
)
def test_what_is_no_description_says_nothing(description: dict[str, Any]) -> None:
    assert described(description) == Described()


def test_a_rate_that_is_none_is_left_out() -> None:
    forms: list[Any] = [{"sample_rate": -1, "seconds": float("nan")}, {"sample_rate": "x"}, []]
    for form in forms:
        assert described({"inputs": {"a": "audio"}, "audio": form}).inputs == {"a": Meaning("audio")}
