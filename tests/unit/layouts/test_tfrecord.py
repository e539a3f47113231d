import gzip
import json
import re
import struct
from math import inf, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.api.serving.v1.example_pb2 import Example
from modelyard.layouts import DataUnreadable, Description, Feature, LayoutError, LayoutUnknown, SplitRule
from modelyard.layouts.crc32c import crc32c, masked
from modelyard.layouts.errors import DescriptionWrong
from modelyard.layouts.reading import read
from tests.support.pictures import picture
from tests.support.trees import detected, whole

SPEC = '{"picture": {"kind": "image"}, "label": {"kind": "category"}, "size": {"shape": [2]}, "note": {"kind": "text"}}'


def example(**features: Any) -> bytes:
    message = Example()
    for name, values in features.items():
        kind = {bytes: "bytes_list", float: "float_list", int: "int64_list"}[type(values[0])]
        getattr(message.features.feature[name], kind).value.extend(values)
    return message.SerializeToString()


def framed(records: list[bytes]) -> bytes:
    out = b""
    for record in records:
        length = struct.pack("<Q", len(record))
        out += length + struct.pack("<I", masked(crc32c([length])[0]))
        out += record + struct.pack("<I", masked(crc32c([record])[0]))
    return out


def one(at: int) -> bytes:
    return example(picture=[picture(at)], label=[at % 3], size=[at / 2, 1.0], note=[f"note {at}".encode()])


def test_the_checksum_is_the_one_of_the_standard() -> None:
    assert crc32c([b"123456789", b"", bytes(32), b"\xff" * 32]) == [0xE3069283, 0, 0x8A9136AA, 0x62A8AB43]


@given(st.lists(st.binary(max_size=3000), max_size=9))
def test_the_checksum_of_many_is_that_of_each(records: list[bytes]) -> None:
    table = [0] * 256
    for at in range(256):
        crc = at
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table[at] = crc
    expected = []
    for record in records:
        crc = 0xFFFFFFFF
        for byte in record:
            crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
        expected.append(crc ^ 0xFFFFFFFF)
    assert crc32c(records) == expected


def test_records_are_examples_by_their_spec() -> None:
    files: dict[str, str | bytes] = {
        "train-00000-of-00001.tfrecord": framed([one(at) for at in range(9)]),
        "test.tfrecord": framed([one(at) for at in range(3)]),
        "features.json": SPEC,
    }
    description, rows, problems = whole(files)
    assert (description.modality, description.layout, description.split_rule) == (
        "image",
        "tfrecord",
        SplitRule("file"),
    )
    assert [(each.name, each.kind, each.role) for each in description.features] == [
        ("picture", "image", "input"),
        ("label", "category", "target"),
        ("size", "number", "input"),
        ("note", "text", "input"),
    ]
    assert description.classes == ("0", "1", "2")
    assert rows["test"].columns["label"] == [0, 1, 2]
    assert rows["test"].columns["size"] == [[0, 1], [0.5, 1], [1, 1]]
    assert rows["test"].columns["picture"][1] == picture(1)
    assert rows["test"].origins == [f"test.tfrecord:{at}" for at in (1, 2, 3)]
    assert problems == []


def test_gzipped_records_are_read() -> None:
    spec = {"x": {"kind": "number"}, "y": {"kind": "category", "classes": ["no", "yes"]}}
    records = [example(x=[float(at)], y=[b"yes" if at % 2 else b"no"]) for at in range(30)]
    _, rows, _ = whole({"a.tfrecord": gzip.compress(framed(records), mtime=0)}, features=spec)
    found = [pair for split in rows.values() for pair in zip(split.columns["x"], split.columns["y"], strict=True)]
    assert sorted(found) == [(at, at % 2) for at in range(30)]


def test_without_a_spec_the_first_record_suggests_one() -> None:
    with pytest.raises(LayoutUnknown) as refused:
        detected({"a.tfrecord": framed([one(1)])})
    assert refused.value.reason == "FEATURES_MISSING"
    assert (
        'suggest: {"label": {"kind": "category", "role": "target"}, "note": {"kind": "text"}, '
        '"picture": {"kind": "image"}, "size": {"kind": "number", "dtype": "float32", "shape": [2]}}'
    ) in refused.value.message


def test_what_is_suggested_takes_missing_numbers_and_keeps_what_float32_does_not_hold() -> None:
    later = example(age=[40], ip=[3_232_235_777], words=[1, 2], tags=[3.0], label=[0])
    with pytest.raises(LayoutUnknown) as refused:
        detected({"a.tfrecord": framed([example(age=[39], ip=[5], words=[7, 9], label=[1]), later])})
    assert json.loads(refused.value.message.split("suggest: ")[1]) == {
        "age": {"kind": "number", "dtype": "float32"},
        "ip": {"kind": "number", "dtype": "int64"},
        "label": {"kind": "category", "role": "target"},
        "tags": {"kind": "number", "dtype": "float32"},
        "words": {"kind": "number", "dtype": "int64", "shape": [2]},
    }
    with pytest.raises(LayoutUnknown, match=r'"words": {"kind": "number", "dtype": "int64", "shape": \[null\]}'):
        detected({"a.tfrecord": framed([example(words=[7, 9, 11]), later])})


def test_a_whole_number_that_is_missing_is_nan_and_not_0() -> None:
    records = [example(y=[at % 2], n=[at], **({} if at % 3 else {"age": [at]})) for at in range(30)]
    spec: dict[str, Any] = {
        "age": {"kind": "number", "dtype": "int64"},
        "n": {"kind": "number", "dtype": "int64"},
        "y": {"kind": "category"},
    }
    files = {"a.tfrecord": framed(records)}
    description, rows, problems = whole(files, features=spec)
    assert problems == []
    assert {each.name: each.dtype for each in description.features} == {
        "age": "float32",
        "n": "int64",
        "y": "int64",
    }
    says = "age is said to be a whole number, and 20 records have none; it is float32, where these are NaN"
    assert says in detected(files, features=spec)[1].notes
    assert np.isnan([age for split in rows.values() for age in split.columns["age"]]).sum() == 20


def test_missing_values_and_lists_of_any_length() -> None:
    spec = {"x": {"kind": "number"}, "words": {"dtype": "int64", "shape": [None]}, "y": {"kind": "category"}}
    records = [example(y=[at % 2], **({"x": [1.0]} if at % 2 else {"words": [at, at]})) for at in range(40)]
    _, rows, _ = whole({"a.tfrecord": framed(records)}, features=spec)
    at = rows["train"].columns["y"].index(0)
    assert np.isnan(rows["train"].columns["x"][at])
    assert len(rows["train"].columns["words"][at]) == 2
    assert rows["train"].columns["words"][rows["train"].columns["y"].index(1)] == []


def test_records_that_do_not_fit_the_spec_are_named_and_the_rest_goes_on() -> None:
    bad = [
        example(picture=[b"GIF"], label=[1], size=[1.0, 2.0]),
        example(picture=[picture()], label=[1, 2], size=[1.0, 2.0]),
        example(picture=[picture()], size=[1.0, 2.0]),
        example(picture=[picture()], label=[1], size=[1.0]),
        example(picture=[picture()], label=[1], size=[1.0, 2.0], note=[b"\xff"]),
        b"\xff\xff",
    ]
    files: dict[str, str | bytes] = {
        "a.tfrecord": framed([*(one(at) for at in range(20)), *bad]),
        "features.json": SPEC,
    }
    _, _, problems = whole(files)
    assert problems == [
        "a.tfrecord:21: has a 'picture' that begins with 'GIF'; it is no PNG, JPEG, WebP, GIF or BMP image",
        "a.tfrecord:22: has 2 values of 'label' instead of one",
        "a.tfrecord:23: has no 'label'",
        "a.tfrecord:24: has 1 values of 'size'; its shape is [2]",
        "a.tfrecord:25: has b'\\xff', which is no UTF-8",
        "a.tfrecord:26: is no tf.train.Example",
    ]


def test_damaged_records_are_named() -> None:
    data = bytearray(framed([one(at) for at in range(20)]))
    second = len(framed([one(0)]))
    data[second + 40] ^= 1
    _, _, problems = whole({"a.tfrecord": bytes(data), "features.json": SPEC})
    assert problems == ["a.tfrecord:2: is damaged: its checksum is another one"]
    del data[-7:]
    _, _, problems = whole({"a.tfrecord": bytes(data), "features.json": SPEC})
    assert "a.tfrecord:20: is cut off; so the rest of the file is left out" in problems


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"a.tfrecord": b"", "features.json": SPEC}, "EMPTY"),
        ({"a.tfrecord": b"not a record at all", "features.json": SPEC}, "ROWS_UNUSABLE"),
        ({"a.tfrecord": framed([b"x" * 9]), "features.json": SPEC}, "ROWS_UNUSABLE"),
        ({"a.tfrecord": framed([one(1)]), "features.json": "[]"}, "FEATURES_WRONG"),
        ({"a.tfrecord": framed([one(1)]), "features.json": '{"x": {"kind": "smell"}}'}, "FEATURES_WRONG"),
        ({"a.tfrecord": b"\x1f\x8b\x08\x00damaged", "features.json": SPEC}, "DATA_DAMAGED"),
    ],
)
def test_what_are_no_records_says_why(files: dict[str, str | bytes], reason: str) -> None:
    with pytest.raises((DataUnreadable, LayoutUnknown)) as refused:
        detected(files)
    assert refused.value.reason == reason


@given(st.data())
def test_who_describes_and_who_reads_agree_on_damaged_records(data: st.DataObject) -> None:
    content = bytearray(GOOD)
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    files: dict[str, str | bytes] = {"a.tfrecord": bytes(content[: data.draw(st.integers(0, len(content)))])}
    spec = {"x": {"kind": "number"}, "y": {"kind": "category"}}
    try:
        detected(files, features=spec)
    except LayoutError:
        return
    whole(files, features=spec)


GOOD = framed([example(x=[float(at)], y=[at % 2]) for at in range(12)])


def test_numbers_of_classes_count_from_zero_and_names_that_are_numbers_are_those_that_there_are() -> None:
    spec = {"x": {"kind": "number"}, "y": {"kind": "category"}}
    numbers = [example(x=[float(at)], y=[(1, 4)[at % 2]]) for at in range(30)]
    names = [example(x=[float(at)], y=[(b"10", b"9", b"007")[at % 3]]) for at in range(30)]
    description, rows, _ = whole({"a.tfrecord": framed(numbers)}, features=spec)
    assert description.classes == ("0", "1", "2", "3", "4")
    assert set(rows["train"].columns["y"]) == {1, 4}
    description, rows, _ = whole({"a.tfrecord": framed(names)}, features=spec)
    assert description.classes == ("007", "9", "10")
    found = [
        (origin, description.classes[label])
        for split in rows.values()
        for origin, label in zip(split.origins, split.columns["y"], strict=True)
    ]
    assert {(int(origin.split(":")[1]) - 1) % 3: name for origin, name in found} == {0: "10", 1: "9", 2: "007"}


def test_numbers_in_some_records_and_names_in_others_are_no_category() -> None:
    records = [example(x=[float(at)], y=[at % 2] if at % 3 else [b"cat"]) for at in range(30)]
    spec = {"x": {"kind": "number"}, "y": {"kind": "category"}}
    with pytest.raises(LayoutUnknown, match="y is a number such as 0 in some records and a text such as 'cat'"):
        detected({"a.tfrecord": framed(records)}, features=spec)
    given = {"x": {"kind": "number"}, "y": {"kind": "category", "classes": ["dog", "cat"]}}
    _, rows, _ = whole({"a.tfrecord": framed(records)}, features=given)
    assert set(rows["train"].columns["y"]) == {0, 1}


@pytest.mark.parametrize("missing", [b"", b" ", b"NA", b"null", b"NaN"])
def test_what_means_that_there_is_no_class_is_none_unless_a_class_is_called_so(missing: bytes) -> None:
    records = [example(x=[float(at)], y=[missing if at == 20 else (b"no", b"yes")[at % 2]]) for at in range(30)]
    spec: dict[str, Any] = {"x": {"kind": "number"}, "y": {"kind": "category"}}
    description, _, problems = whole({"a.tfrecord": framed(records)}, features=spec)
    assert description.classes == ("no", "yes")
    assert problems == ["a.tfrecord:21: has no 'y'"]
    if missing == b"NA":
        spec["y"]["classes"] = ["no", "yes", "NA"]
        description, _, problems = whole({"a.tfrecord": framed(records)}, features=spec)
        assert (description.classes, problems) == (("no", "yes", "NA"), [])


@pytest.mark.parametrize("value", [nan, inf, -inf])
@pytest.mark.parametrize(
    "feature",
    [{"role": "target"}, {"role": "rating"}, {"kind": "boxes", "shape": [None, 4]}],
)
def test_records_whose_target_rating_or_boxes_are_not_finite_are_named(feature: dict[str, Any], value: float) -> None:
    width = 4 if "kind" in feature else 1
    records = [example(x=[float(at)], y=[0.5] * (width - 1) + [value if at == 20 else 1.0]) for at in range(30)]
    _, rows, problems = whole({"a.tfrecord": framed(records)}, features={"x": {"kind": "number"}, "y": feature})
    assert problems == [f"a.tfrecord:21: has {value!r} as 'y', which is no finite number of 32 bits"]
    assert sum(len(split.origins) for split in rows.values()) == 29


@pytest.mark.parametrize(
    "feature",
    [
        {"dtype": "int64"},
        {"dtype": "int64", "shape": [1]},
        {"dtype": "int64", "shape": [None]},
        {"kind": "category", "role": "target", "shape": [1], "classes": ["no", "yes"]},
        {"kind": "category", "shape": [None], "classes": ["no", "yes"]},
    ],
)
@pytest.mark.parametrize("value", [nan, inf, 1.5, 1e30])
def test_records_with_fractions_where_whole_numbers_are_claimed_are_named(
    feature: dict[str, Any], value: float
) -> None:
    records = [example(x=[float(at)], y=[value if at == 20 else 1.0]) for at in range(30)]
    _, rows, problems = whole({"a.tfrecord": framed(records)}, features={"x": {"kind": "number"}, "y": feature})
    (problem,) = problems
    assert problem.startswith("a.tfrecord:21: has ")
    assert problem.endswith(" as 'y', which is no whole number of 64 bits")
    assert sum(len(split.origins) for split in rows.values()) == 29


@pytest.mark.parametrize(("value", "is_named"), [(nan, True), (inf, True), (1e30, True), (0.5, False)])
def test_times_are_within_reach_and_may_be_of_fractions_of_a_second(value: float, is_named: bool) -> None:
    records = [example(x=[float(at)], at=[value if at == 20 else 1.0]) for at in range(30)]
    features = {"x": {"kind": "number"}, "at": {"kind": "time"}}
    _, _, problems = whole({"a.tfrecord": framed(records)}, features=features)
    assert [problem.endswith("as 'at', which is no time in seconds") for problem in problems] == [True] * is_named


def test_numbers_that_are_not_finite_are_missing_ones_in_an_input() -> None:
    records = [example(x=[nan if at % 2 else 1.0], y=[at % 2]) for at in range(30)]
    _, _, problems = whole(
        {"a.tfrecord": framed(records)}, features={"x": {"kind": "number"}, "y": {"kind": "category"}}
    )
    assert problems == []


@pytest.mark.parametrize("shape", ["[null, null]", "[null, 0]", "[0]"])
@pytest.mark.parametrize("kind", ["number", "category", "boxes"])
def test_a_shape_of_two_sizes_that_are_open_or_of_none_is_refused(kind: str, shape: str) -> None:
    spec = {"x": {"kind": kind, "shape": json.loads(shape)}}
    said = f"x has the shape {shape}; at most one size is null, and none is 0"
    with pytest.raises(LayoutUnknown, match=f"^{re.escape(f'--features: {said}')}$"):
        detected({"a.tfrecord": framed([example(x=[1.0])])}, features=spec)
    described = Description(
        "table", "tfrecord", (Feature("x", kind, "float32", tuple(json.loads(shape))),), (), SplitRule("file")
    )
    with pytest.raises(DescriptionWrong, match=re.escape(said)):
        next(iter(read(described, {}, lambda *_: None)))


def test_a_category_is_of_whole_numbers_or_texts() -> None:
    spec = {"x": {"kind": "number"}, "y": {"kind": "category", "dtype": "float32"}}
    with pytest.raises(LayoutUnknown, match='y is a category of float32; its dtype is "int64" or "string"'):
        detected({"a.tfrecord": framed([example(x=[1.0], y=[0])])}, features=spec)
