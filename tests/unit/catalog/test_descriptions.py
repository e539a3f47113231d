"""A dataset's description is data from a stranger; `tests/unit/layouts` has what is in one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.catalog.domain.descriptions import read_description
from modelyard.catalog.domain.errors import DescriptionWrong
from modelyard.catalog.servicers.dataset_messages import input_spec_message

FIRST: dict[str, Any] = {
    "format": 1,
    "layout": "idx",
    "modality": "image",
    "features": {
        "image": {"dtype": "uint8", "shape": [28, None, 1], "encoding": "raw"},
        "label": {"dtype": "int64", "classes": ["[[[[[[[[[[[[[[[[[[[[", "1"]},
    },
    "splits": {"train": {"examples": 60000, "images": "x", "labels": "y"}},
}
SECOND: dict[str, Any] = {
    "format": 2,
    "layout": "table",
    "modality": "interactions",
    "features": {
        "user": {"kind": "id", "dtype": "string", "role": "user", "column": "userId"},
        "item": {"kind": "id", "dtype": "string", "role": "item"},
        "rating": {"kind": "number", "dtype": "float32", "role": "rating"},
    },
    "split_rule": {"by": "column", "column": "userId", "held_out": {"test": 10}},
    "splits": {"train": {"examples": 900}, "test": {"examples": 100}},
    "files": {"ratings.csv": ""},
    "table": {"format": "csv", "delimiter": ","},
    "items": {
        "file": "movies.csv",
        "key": "movieId",
        "features": {"title": {"kind": "text", "dtype": "string"}},
        "table": {"format": "csv", "delimiter": ","},
    },
    "generated": {"by": "modelyard gallery", "seed": 1},
}


def test_a_description_of_the_first_format_becomes_an_input_spec() -> None:
    spec = input_spec_message("v", read_description(json.dumps(FIRST).encode(), "v"))

    image, label = spec.features
    assert (list(image.shape), image.kind, image.role) == ([28, -1, 1], image.KIND_IMAGE, image.ROLE_INPUT)
    assert (label.classes[1], label.kind, label.role) == ("1", label.KIND_CATEGORY, label.ROLE_TARGET)
    assert [(split.name, split.example_count) for split in spec.splits] == [("train", 60000)]
    assert (spec.split_rule.by, spec.dataset_version) == ("file", "v")


def test_a_description_of_the_second_format_becomes_an_input_spec() -> None:
    spec = input_spec_message("v", read_description(json.dumps(SECOND).encode(), "v"))

    assert [(each.name, each.column, each.role) for each in spec.features] == [
        ("user", "userId", spec.features[0].ROLE_USER),
        ("item", "", spec.features[0].ROLE_ITEM),
        ("rating", "", spec.features[0].ROLE_RATING),
    ]
    assert [(each.name, each.kind) for each in spec.item_features] == [("title", spec.features[0].KIND_TEXT)]
    rule = spec.split_rule
    assert (rule.by, rule.column, dict(rule.held_out)) == ("column", "userId", {"test": 10})
    assert spec.generated_by == "modelyard gallery, seed 1"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"format": True}, "format"),
        ({"format": "1"}, "format"),
        ({"format": 3}, "format"),
        ({"layout": "parquet"}, "layout"),
        ({"modality": None}, "modality"),
        ({"features": {}}, "features"),
        ({"features": {"user": []}}, "features.user"),
        ({"features": {"user": {"kind": "face", "dtype": "string"}}}, "features.user.kind"),
        ({"features": {"user": {"kind": "id", "dtype": "string", "shape": [-3]}}}, "features.user.shape"),
        ({"splits": {"train": {"examples": 1e300}}}, "splits.train.examples"),
        ({"items": {"file": "../movies.csv", "key": "k", "features": {}}}, "items.file"),
    ],
)
def test_a_wrong_one_says_where(change: dict[str, Any], field: str) -> None:
    with pytest.raises(DescriptionWrong, match=rf"modelyard.dataset.json of v is wrong: {field} "):
        read_description(json.dumps(SECOND | change).encode(), "v")


@pytest.mark.parametrize("text", ["", "nul", "[1", '{"a": NaN}', '{"a": 1, "a": 2}', "\ufeff{}", '"\ud800"', "[" * 500])
def test_what_is_not_strict_json_is_refused(text: str) -> None:
    with pytest.raises(DescriptionWrong):
        read_description(text.encode("utf-8", "surrogatepass"), "v")


@given(st.binary(max_size=300))
def test_any_bytes_are_a_description_or_refused(data: bytes) -> None:
    with pytest.raises(DescriptionWrong):
        read_description(data, "v")
