"""What a feature's values are counted as."""

from pathlib import Path
from typing import Any

import pytest

from modelyard.job.index import Index
from modelyard.job.trial import prepare_dataset
from modelyard.layouts import Options
from modelyard.templates.profile import feature_sections
from modelyard.templates.profile.features import Classes, Values
from modelyard.templates.profile.portions import portions
from modelyard.templates.profile.profiling import profile
from modelyard.templates.profile.room import room_of
from tests.unit.layouts.test_tfrecord import example, framed

TAGS = [[0, 1], [2, 2], [1, 0], [2, 1], [0, 1]]


def tagged(folder: Path, shape: list[int | None], tags: list[list[int]]) -> Index:
    spec: dict[str, Any] = {
        "x": {"kind": "number"},
        "tags": {"kind": "category", "role": "target", "shape": shape, "classes": ["red", "green", "blue"]},
    }
    records = [example(x=[float(at)], **({"tags": each} if each else {})) for at, each in enumerate(tags)]
    files = {"train.tfrecord": framed(records), "test.tfrecord": framed(records[:1])}
    prepare_dataset(folder, files, options=Options(features=spec))
    return Index(folder)


def counted(index: Index, classes: Classes) -> tuple[dict[str, int], list[int]]:
    """Values by class, and the hashes of the examples of `train`."""
    hashes: list[int] = []
    for portion in portions(index.split("train")):
        hashes += classes.add(portion, "tags").tolist()
    return {each["value"]: each["count"] for each in classes.found()["topValues"]}, hashes


def test_classes_of_a_fixed_number_an_example_are_counted_each(tmp_path: Path) -> None:
    index = tagged(tmp_path, [2], TAGS)
    classes = Classes(index.features["tags"])
    values, hashes = counted(index, classes)
    assert values == {"red": 3, "green": 4, "blue": 3}
    assert (classes.found()["count"], classes.examples, classes.empty) == (10, 5, 0)
    assert hashes[0] == hashes[4]
    assert len(set(hashes)) == 4, "the order counts"


def test_classes_of_any_number_an_example_are_counted_each(tmp_path: Path) -> None:
    index = tagged(tmp_path, [None], [[0], [], [1, 2, 2], [0, 0]])
    classes = Classes(index.features["tags"])
    assert counted(index, classes)[0] == {"red": 3, "blue": 2, "green": 1}
    assert (classes.examples, classes.empty) == (4, 1)


@pytest.mark.parametrize("shape", [[2], [None]])
def test_numbers_of_no_class_are_counted_apart(tmp_path: Path, shape: list[int | None]) -> None:
    index = tagged(tmp_path, shape, [[0, -1], [7, 1]])
    classes = Classes(index.features["tags"])
    assert counted(index, classes)[0] == {"red": 1, "green": 1, "blue": 0}
    assert (classes.unknown, classes.found()["missingCount"]) == (2, 2)


def test_of_many_classes_the_same_ones_are_listed_for_each_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelyard.templates.profile.features.MOST_CLASSES", 2)
    rows = {"train": ["a"] * 9 + ["b"] * 5 + ["c"] * 2 + ["d"] * 3, "test": ["d"] * 3 + ["c"] * 3 + ["b"]}
    files = {f"{split}.csv": "\n".join(["kind,x", *(f"{kind},1" for kind in kinds)]) for split, kinds in rows.items()}
    prepare_dataset(tmp_path, {name: text.encode() for name, text in files.items()}, options=Options(target="kind"))
    index = Index(tmp_path)
    classes = Classes(index.features["kind"])
    for split in index.splits:
        for portion in portions(index.split(split)):
            classes.add(portion, "kind")
    found = {"name": "kind", "kind": "KIND_CATEGORY", **classes.found()}
    by_split = {each["split"]: {one["value"]: one["count"] for one in each["values"]} for each in found["splitValues"]}
    assert {each["value"]: each["count"] for each in found["topValues"]} == {"a": 9, "b": 6}
    assert by_split == {"train": {"a": 9, "b": 5}, "test": {"b": 1, "a": 0}}
    (section,) = feature_sections.balance(index, [found])
    assert "1 · 14.29" in section
    assert "2 that are rarer are in the dataset only" in section


def test_the_missing_text_is_no_different_value(tmp_path: Path) -> None:
    rows = "".join(f"{('same', '')[at % 2]},{at / 7}\n" for at in range(60))
    spec = {"note": {"kind": "text"}}
    prepare_dataset(tmp_path, {"a.csv": f"note,y\n{rows}".encode()}, options=Options(target="y", features=spec))
    found = profile(Index(tmp_path), tmp_path / "contents").statistics
    assert [each["distinctCount"] for each in found["features"] if each["name"] == "note"] == [1]
    assert "note is the same in every example." in found["findings"]


def test_of_many_columns_fewer_values_are_kept_of_each(tmp_path: Path) -> None:
    rows = "".join(f"{at},{chr(97 + at % 9)},{at % 2}\n" for at in range(90))
    prepare_dataset(tmp_path, {"a.csv": ("size,letter,label\n" + rows).encode()})
    kept = {}
    for features in (3, 640):
        values = Values(room_of(features))
        for portion in portions(Index(tmp_path).split("train")):
            values.add(portion, "letter")
        found = values.found()
        kept[features] = len(found["topValues"]), len(found["splitValues"][0]["values"]), found["distinctCount"]
    assert kept == {3: (9, 9, 9), 640: (5, 5, 9)}
