import json
from pathlib import Path

import pytest

from modelyard.layouts import DESCRIPTION_FILE, Options
from modelyard.sdk.describing import describe, read_description, read_features
from modelyard.sdk.errors import FailedPrecondition, InvalidArgument
from modelyard.sdk.folder import Source, scan, scan_file
from tests.support.pictures import picture, write_classes


def test_a_folder_gets_its_description_beside_its_files(tmp_path: Path) -> None:
    write_classes(tmp_path, {"train/a": 3, "train/b": 2, "test/a": 1})
    sources = describe(scan(tmp_path)).sources
    fields = json.loads(sources[DESCRIPTION_FILE].content)
    assert (fields["format"], fields["layout"], fields["split_rule"]) == (2, "class_folders", {"by": "folder"})
    assert len(sources) == 7


def test_other_names_of_splits_become_those_that_readers_know(tmp_path: Path) -> None:
    write_classes(tmp_path, {"Train/a": 2, "Train/b": 1, "val/a": 1})
    (tmp_path / "README.md").write_text("mine")
    sources = describe(scan(tmp_path)).sources
    assert set(sources) == {
        DESCRIPTION_FILE,
        "README.md",
        "train/a/0000.png",
        "train/a/0001.png",
        "train/b/0000.png",
        "validation/a/0000.png",
    }
    splits = json.loads(sources[DESCRIPTION_FILE].content)["splits"]
    assert splits == {"train": {"examples": 3}, "validation": {"examples": 1}}


def test_two_folders_of_one_split_with_a_file_of_one_name_are_refused(tmp_path: Path) -> None:
    write_classes(tmp_path, {"train/a": 1, "train/b": 1, "val/a": 1, "validation/a": 1})
    with pytest.raises(InvalidArgument, match="keep one folder for each split"):
        describe(scan(tmp_path))


def test_a_description_of_ones_own_is_left_as_it_is(tmp_path: Path) -> None:
    write_classes(tmp_path, {"val/a": 1})
    (tmp_path / DESCRIPTION_FILE).write_text("{}")
    found = describe(scan(tmp_path))
    assert found.sources == scan(tmp_path)
    assert found.findings.notes == [
        "it is laid out as its modelyard.dataset.json says; if files have changed since, remove it and push again"
    ]
    with pytest.raises(InvalidArgument, match=r"which says how it is laid out, .* remove this file"):
        describe(scan(tmp_path), Options(target="label"))


def test_one_file_is_a_data_set_too(tmp_path: Path) -> None:
    (tmp_path / "adult.csv").write_text("age,label\n" + "".join(f"{age},{age % 2}\n" for age in range(30)))
    (tmp_path / "other.csv").write_text("not,this")
    sources = describe(scan_file(tmp_path / "adult.csv")).sources
    assert set(sources) == {"adult.csv", DESCRIPTION_FILE}


def test_what_made_generated_data_is_kept(tmp_path: Path) -> None:
    write_classes(tmp_path, {"a": 8, "b": 8})
    made = {"by": "modelyard gallery", "seed": 1}
    fields = json.loads(describe(scan(tmp_path), generated=made).sources[DESCRIPTION_FILE].content)
    assert fields["generated"] == made


def test_what_is_wrong_with_the_data_is_an_invalid_argument_with_its_reason() -> None:
    sources = {
        path: Source(len(content), content=content)
        for path, content in {"a/1.png": picture(), "b/2.png": b"\x89PNG\r\n\x1a\nnothing"}.items()
    }
    with pytest.raises(InvalidArgument, match=r"^b/2\.png is not an image that can be read") as refused:
        describe(sources)
    assert refused.value.reason == "IMAGE_UNREADABLE"


def test_a_description_of_a_newer_release_is_refused_with_its_file_and_version() -> None:
    with pytest.raises(FailedPrecondition, match=r"^modelyard\.dataset\.json of mine@1: format is 9; this version"):
        read_description("mine@1", b'{"format": 9}')


def test_tables_that_can_not_be_read_are_no_part_of_the_tree(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text("age,label\n" + "".join(f"{age},{age % 2}\n" for age in range(30)))
    (tmp_path / "c.csv").write_text("age,label\n")
    (tmp_path / "about.txt").write_text("")
    found = describe(scan(tmp_path))
    assert set(found.sources) == {"a.csv", "about.txt", "b.csv", DESCRIPTION_FILE}
    assert list(map(str, found.findings.left_out)) == ["c.csv: has no rows under its header"]


def test_a_file_of_features_says_what_columns_are(tmp_path: Path) -> None:
    path = tmp_path / "features.json"
    path.write_text('{"zip": {"kind": "text"}}')
    table = tmp_path / "t.csv"
    table.write_text("zip,label\n" + "".join(f"{number},{number % 2}\n" for number in range(30)))
    content = describe(scan_file(table), Options(features=read_features(path))).sources[DESCRIPTION_FILE].content
    assert json.loads(content)["features"]["zip"]["kind"] == "text"
    path.write_text("[]")
    with pytest.raises(InvalidArgument, match="is no object of objects"):
        read_features(path)
    with pytest.raises(InvalidArgument, match="can't be read"):
        read_features(tmp_path / "none.json")
