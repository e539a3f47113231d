"""A description is data from a stranger."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.layouts import (
    Description,
    DescriptionWrong,
    Feature,
    Items,
    Split,
    SplitRule,
    Table,
    from_json,
    parse_description,
    to_bytes,
    to_json,
)
from modelyard.layouts.description import DTYPES, KINDS, LAYOUTS, MODALITIES, ROLES, SPLIT_RULES, SPLITS

GOOD: dict[str, Any] = {
    "format": 2,
    "modality": "table",
    "layout": "table",
    "features": {
        "age": {"kind": "number", "dtype": "float32", "shape": [], "role": "input", "column": "Age"},
        "pay": {"kind": "category", "dtype": "int64", "shape": [], "role": "target", "classes": ["<=50K", ">50K"]},
    },
    "split_rule": {"by": "hash", "held_out": {"test": 10}},
    "splits": {"train": {"examples": 900}, "test": {"examples": 100}},
    "files": {"adult.csv": ""},
    "table": {"format": "csv", "delimiter": ",", "encoding": "utf-8", "header": True},
}
FIRST: dict[str, Any] = {
    "format": 1,
    "layout": "idx",
    "modality": "image",
    "features": {
        "image": {"dtype": "uint8", "shape": [28, 28, 1], "encoding": "raw"},
        "label": {"dtype": "int64", "classes": ["[[[[[[[[[[[[[[[[[[[[", "1"]},
    },
    "splits": {"train": {"examples": 60000, "images": "x", "labels": "y"}},
}


def test_a_good_one_is_read() -> None:
    found = parse_description(json.dumps(GOOD).encode())
    assert [feature.header for feature in found.features] == ["Age", "pay"]
    assert (found.classes, found.examples) == (("<=50K", ">50K"), {"train": 900, "test": 100})
    assert [feature.name for feature in found.inputs] == ["age"]
    assert to_json(found) == GOOD


def test_format_1_is_read_into_the_same() -> None:
    found = parse_description(json.dumps(FIRST).encode())
    assert [(each.kind, each.role) for each in found.features] == [("image", "input"), ("category", "target")]
    assert (found.splits, found.split_rule) == ((Split("train", 60000, ("x", "y")),), SplitRule("file"))
    assert parse_description(to_bytes(found)) == found


def test_the_split_rule_of_format_1_keeps_its_meaning() -> None:
    fields = FIRST | {"layout": "class_folders", "split_rule": "hash-10", "splits": {"train": {"examples": 1}}}
    assert from_json(fields).split_rule == SplitRule("hash", held_out={"test": 10})
    assert from_json(fields | {"split_rule": "folder"}).split_rule == SplitRule("folder")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": True}, "format is True; this version of modelyard reads formats 1 and 2"),
        ({"format": 3}, "format is 3"),
        ({"layout": "csv"}, "layout is 'csv'; it must be one of class_folders"),
        ({"modality": None}, "modality is None"),
        ({"features": {}}, "features has 0 entries"),
        ({"features": {"Age": {}}}, "features has 'Age'; a feature's name is 1 to 64 of a-z, 0-9 and _"),
        ({"features": {"a": {"kind": "smell", "dtype": "uint8"}}}, "features.a.kind is 'smell'"),
        ({"features": {"a": {"kind": "text", "dtype": ""}}}, "features.a.dtype is ''"),
        ({"features": {"a": {"kind": "text", "dtype": "string", "shape": [-3]}}}, "features.a.shape is -3"),
        ({"features": {"a": {"kind": "text", "dtype": "string", "shape": [1.5]}}}, "features.a.shape is 1.5"),
        ({"features": {"a": {"kind": "text", "dtype": "string", "role": "king"}}}, "features.a.role is 'king'"),
        ({"splits": {"train": {}}}, "splits.train.examples is None"),
        ({"splits": {"train": {"examples": True}}}, "splits.train.examples is True"),
        ({"splits": {"train": {"examples": 1e300}}}, "splits.train.examples is 1e+300"),
        ({"splits": {"extra": {"examples": 1}}}, "splits.extra is unknown; splits are train, validation, test"),
        ({"splits": []}, "splits is missing or not an object"),
        ({"split_rule": {"by": "coin"}}, "split_rule.by is 'coin'"),
        ({"split_rule": {"by": "hash", "held_out": {"test": 100}}}, "split_rule.held_out has 'test': 100"),
        ({"split_rule": {"by": "hash", "held_out": {"test": 60, "validation": 50}}}, "leaves nothing to train on"),
        ({"files": {"../secret": ""}}, "files has '../secret'; it must name a file of the tree"),
        ({"files": {"a.csv": "extra"}}, "files.a.csv is 'extra'"),
        ({"table": {"format": "csv", "delimiter": "x"}}, "table.delimiter is 'x'"),
        ({"table": {"format": "csv", "delimiter": ",", "header": 1}}, "table.header is 1"),
        ({"items": {"file": "a.csv", "key": ""}}, "items.key is ''"),
    ],
)
def test_a_wrong_one_says_where(change: dict[str, Any], said: str) -> None:
    with pytest.raises(DescriptionWrong) as refused:
        parse_description(json.dumps(GOOD | change).encode())
    assert refused.value.message.startswith(said) or said in refused.value.message


@pytest.mark.parametrize("classes", [[], ["a", "a"], ["a\nb"], ["a\x1b[2J"], ["a\u202eb"], [""], [1], "ab", None])
def test_the_classes_of_a_target_are_distinct_and_printable(classes: object) -> None:
    feature = {"kind": "category", "dtype": "int64", "role": "target", "classes": classes}
    with pytest.raises(DescriptionWrong, match=r"^features\.label\.classes"):
        from_json(GOOD | {"features": {"label": feature}})


@pytest.mark.parametrize("text", ["", "nul", "[1", '{"a": NaN}', '{"a": 1, "a": 2}', "\ufeff{}", '"\ud800"', "[" * 500])
def test_what_is_not_strict_json_is_refused(text: str) -> None:
    with pytest.raises(DescriptionWrong):
        parse_description(text.encode("utf-8", "surrogatepass"))


def test_one_that_is_too_large_is_refused() -> None:
    with pytest.raises(DescriptionWrong, match="more than 3,145,728"):
        parse_description(b" " * (4 << 20) + b"{}")


@given(st.binary(max_size=300))
def test_any_bytes_are_a_description_or_refused(data: bytes) -> None:
    with pytest.raises(DescriptionWrong):
        parse_description(data)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(GOOD)), _JSON)
def test_any_value_in_any_field_is_read_or_refused(field: str, value: Any) -> None:
    with suppress(DescriptionWrong):
        parse_description(json.dumps(GOOD | {field: value}).encode())


names = st.from_regex(r"[a-z0-9_]{1,20}", fullmatch=True)
texts = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=12)
paths = st.from_regex(r"[a-z]{1,5}(/[a-z]{1,5})?\.csv", fullmatch=True)


@st.composite
def features(draw: st.DrawFn) -> Feature:
    kind, role = draw(st.sampled_from(KINDS)), draw(st.sampled_from(ROLES))
    least = 1 if (kind, role) == ("category", "target") else 0
    return Feature(
        draw(names),
        kind,
        draw(st.sampled_from(DTYPES)),
        tuple(draw(st.lists(st.none() | st.integers(0, 99), max_size=4))),
        role,
        draw(st.sampled_from(["", "png", "wav"])),
        tuple(draw(st.lists(texts, unique=True, min_size=least, max_size=4))),
        draw(st.just("") | texts),
        draw(st.sampled_from(["", "images/", "./"])),
        draw(st.sampled_from(["", ".png"])),
    )


def several() -> st.SearchStrategy[tuple[Feature, ...]]:
    return st.lists(features(), min_size=1, max_size=3, unique_by=lambda each: each.name).map(tuple)


tables = st.builds(
    Table, st.just("csv"), st.sampled_from([",", ";", "\t", "|"]), st.just("utf-16"), st.booleans(), st.booleans()
)
splits = st.builds(Split, st.sampled_from(SPLITS), st.integers(0, 1 << 40), st.lists(paths, max_size=2).map(tuple))
percents = st.dictionaries(st.sampled_from(SPLITS[1:]), st.integers(0, 49))
descriptions = st.builds(
    Description,
    st.sampled_from(MODALITIES),
    st.sampled_from(LAYOUTS),
    several(),
    st.lists(splits, min_size=1, max_size=3, unique_by=lambda each: each.name).map(tuple),
    st.builds(SplitRule, st.sampled_from(SPLIT_RULES), st.just("") | texts, percents),
    st.dictionaries(paths, st.sampled_from(["", *SPLITS]), max_size=3),
    st.none() | tables,
    st.none() | st.builds(Items, paths, texts, several(), tables),
    st.none() | st.just({"by": "modelyard gallery", "seed": 1}),
)


@given(descriptions)
def test_what_is_written_is_read_back(description: Description) -> None:
    assert parse_description(to_bytes(description)) == description
