"""A dataset's description is data from a stranger."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.catalog.domain.descriptions import read_description
from modelyard.catalog.domain.errors import DescriptionWrong

GOOD: dict[str, Any] = {
    "format": 1,
    "layout": "idx",
    "modality": "image",
    "features": {
        "image": {"dtype": "uint8", "shape": [28, None, 1], "encoding": "raw"},
        "label": {"dtype": "int64", "classes": ["[[[[[[[[[[[[[[[[[[[[", "1"]},
    },
    "splits": {"train": {"examples": 60000, "images": "x", "labels": "y"}},
}


def test_a_good_one_is_read() -> None:
    found = read_description(json.dumps(GOOD).encode(), "v")

    assert found.features[0].shape == (28, -1, 1)
    assert found.features[1].classes[1] == "1"
    assert found.splits[0].example_count == 60000


@pytest.mark.parametrize(
    "change",
    [
        {"format": True},
        {"format": "1"},
        {"layout": "parquet"},
        {"modality": None},
        {"features": {}},
        {"features": {"image": []}},
        {"features": {"image": {"dtype": ""}}},
        {"features": {"image": {"dtype": "uint8", "shape": [-3]}}},
        {"features": {"image": {"dtype": "uint8", "shape": [1.5]}}},
        {"features": {"image": {"dtype": "uint8", "classes": [1]}}},
        {"splits": {"train": {}}},
        {"splits": {"train": {"examples": True}}},
        {"splits": {"train": {"examples": 1e300}}},
        {"splits": []},
    ],
)
def test_a_wrong_one_says_where(change: dict[str, Any]) -> None:
    with pytest.raises(DescriptionWrong, match="of v is wrong"):
        read_description(json.dumps(GOOD | change).encode(), "v")


@pytest.mark.parametrize("text", ["", "nul", "[1", '{"a": NaN}', '{"a": 1, "a": 2}', "\ufeff{}", '"\ud800"', "[" * 500])
def test_what_is_not_strict_json_is_refused(text: str) -> None:
    with pytest.raises(DescriptionWrong):
        read_description(text.encode("utf-8", "surrogatepass"), "v")


@given(st.binary(max_size=300))
def test_any_bytes_are_a_description_or_refused(data: bytes) -> None:
    with pytest.raises(DescriptionWrong):
        read_description(data, "v")
