import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.job import description
from modelyard.sdk.errors import InvalidArgument
from modelyard.sdk.folder import Source, scan
from modelyard.sdk.layouts import DESCRIPTION_FILE, LayoutUnknown, arrange, hash_split
from tests.support.pictures import idx, idx_pair, picture, write_classes


def described(folder: Path) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(arrange(scan(folder))[DESCRIPTION_FILE].content)
    return fields


def described_files(files: dict[str, bytes], layout: Any = "auto") -> dict[str, Any]:
    sources = {path: Source(len(content), content=content) for path, content in files.items()}
    fields: dict[str, Any] = json.loads(arrange(sources, layout)[DESCRIPTION_FILE].content)
    return fields


def test_class_folders_are_split_by_the_hash_of_their_paths(tmp_path: Path) -> None:
    write_classes(tmp_path, {"cat": 30, "dog": 20})
    fields = described(tmp_path)
    held_out = sum(hash_split(path) == "test" for path in scan(tmp_path))
    assert fields["layout"] == "class_folders"
    assert fields["split_rule"] == "hash-10"
    assert fields["features"]["image"] == {"dtype": "uint8", "shape": [6, 8, 1], "encoding": "png"}
    assert fields["features"]["label"] == {"dtype": "int64", "classes": ["cat", "dog"]}
    assert fields["splits"] == {"train": {"examples": 50 - held_out}, "test": {"examples": held_out}}
    assert 0 < held_out < 15


def test_folders_of_splits_are_taken_as_they_are(tmp_path: Path) -> None:
    write_classes(tmp_path, {"train/a": 3, "train/b": 2, "test/a": 1, "validation/b": 1})
    fields = described(tmp_path)
    assert fields["split_rule"] == "folder"
    assert fields["splits"] == {"train": {"examples": 5}, "validation": {"examples": 1}, "test": {"examples": 1}}


def test_other_names_of_splits_become_those_that_readers_know(tmp_path: Path) -> None:
    write_classes(tmp_path, {"Train/a": 2, "Train/b": 1, "val/a": 1})
    (tmp_path / "README.md").write_text("mine")
    assert set(arrange(scan(tmp_path))) == {
        DESCRIPTION_FILE,
        "README.md",
        "train/a/0000.png",
        "train/a/0001.png",
        "train/b/0000.png",
        "validation/a/0000.png",
    }
    assert described(tmp_path)["splits"] == {"train": {"examples": 3}, "validation": {"examples": 1}}


def test_two_folders_of_one_split_with_a_file_of_one_name_are_refused(tmp_path: Path) -> None:
    write_classes(tmp_path, {"train/a": 1, "train/b": 1, "val/a": 1, "validation/a": 1})
    with pytest.raises(LayoutUnknown, match="keep one folder for each split"):
        arrange(scan(tmp_path))


def test_images_of_different_sizes_have_no_fixed_height_and_width(tmp_path: Path) -> None:
    write_classes(tmp_path, {"a": 2, "b": 1})
    (tmp_path / "a" / "large.png").write_bytes(picture(9, size=(8, 20), mode="RGB"))
    assert described(tmp_path)["features"]["image"]["shape"] == [None, 8, None]


def test_the_encoding_is_that_of_the_majority(tmp_path: Path) -> None:
    write_classes(tmp_path, {"a": 1, "b": 0})
    for number in range(3):
        (tmp_path / "b" / f"{number}.jpg").write_bytes(picture(number, format="JPEG"))
    assert described(tmp_path)["features"]["image"]["encoding"] == "jpeg"


def test_hidden_folders_and_files_at_the_top_are_no_examples(tmp_path: Path) -> None:
    write_classes(tmp_path, {"a": 2, "b": 2, ".thumbnails": 5})
    (tmp_path / "preview.png").write_bytes(picture())
    (tmp_path / "licence.txt").write_text("mine")
    fields = described(tmp_path)
    assert fields["features"]["label"]["classes"] == ["a", "b"]
    assert sum(split["examples"] for split in fields["splits"].values()) == 4


def test_a_folder_of_mnist_files_is_idx() -> None:
    files = idx_pair("train", [0, 1, 2, 7]) | idx_pair("t10k", [1, 0])
    fields = described_files(files)
    assert fields["layout"] == "idx"
    assert fields["features"]["image"] == {"dtype": "uint8", "shape": [4, 4, 1], "encoding": "raw"}
    assert fields["features"]["label"]["classes"] == [str(label) for label in range(8)]
    assert fields["splits"]["test"] == {
        "examples": 2,
        "images": "t10k-images-idx3-ubyte",
        "labels": "t10k-labels-idx1-ubyte",
    }


def test_gzipped_idx_files_are_read_too(tmp_path: Path) -> None:
    for name, content in idx_pair("train", [0, 1, 0]).items():
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content))
    fields = described(tmp_path)
    assert fields["splits"]["train"]["examples"] == 3
    assert fields["splits"]["train"]["images"] == "train-images-idx3-ubyte.gz"


def test_a_description_of_ones_own_is_left_as_it_is(tmp_path: Path) -> None:
    write_classes(tmp_path, {"val/a": 1})
    (tmp_path / DESCRIPTION_FILE).write_text("{}")
    arranged = arrange(scan(tmp_path))
    assert arranged == scan(tmp_path)


@pytest.mark.parametrize(
    ("names", "reason", "said"),
    [
        ([], "NO_IMAGES", "it is empty"),
        (["a/one.webp", "a/two.webp", "b/x.txt"], "NO_IMAGES", "it has 2 × .webp, 1 × .txt"),
        (["one.png", "two.png"], "LAYOUT_UNKNOWN", "put each into a folder of its class"),
        (["a/1.png", "a/2.png"], "ONE_CLASS", "one class only, 'a'"),
        (["a/1.png", "b/deep/2.png"], "LAYOUT_UNKNOWN", "1 folders deep (1) and 2 folders deep (1), such as 'b/deep/2"),
        (["test/a/1.png", "test/b/1.png"], "NO_TRAINING_IMAGES", "split 'train'"),
        (["train/1.png", "test/2.png"], "LAYOUT_UNKNOWN", "in a split but in no class"),
        (["a/1.png", "b/2.png", "b/notes.txt"], "NOT_AN_IMAGE", "'b/notes.txt' beside the images is no image"),
    ],
)
def test_what_is_no_data_set_says_what_was_seen(names: list[str], reason: str, said: str) -> None:
    with pytest.raises(LayoutUnknown) as refused:
        described_files({name: picture() for name in names})
    assert refused.value.reason == reason
    assert said in refused.value.message


def test_a_broken_png_is_named() -> None:
    with pytest.raises(InvalidArgument, match=r"^b/2\.png is not an image that can be read") as refused:
        described_files({"a/1.png": picture(), "b/2.png": b"\x89PNG\r\n\x1a\nnothing"})
    assert refused.value.reason == "IMAGE_UNREADABLE"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"train-labels-idx1-ubyte": idx(bytes(3), 3)}, "COUNTS_DIFFER"),
        ({"train-images-idx3-ubyte": b"PK\3\4 and so on, longer"}, "IDX_UNREADABLE"),
        ({"train-images-idx3-ubyte": b"\0\0"}, "IDX_UNREADABLE"),
        ({"t10k-images-idx3-ubyte": idx(bytes(50), 2, 5, 5)}, "SHAPES_DIFFER"),
        ({"t10k-images-idx3-ubyte.gz": b"no gzip", "t10k-images-idx3-ubyte": None}, "IDX_UNREADABLE"),
        ({"t10k-labels-idx1-ubyte": None}, "LAYOUT_UNKNOWN"),
        ({"train-images-idx3-ubyte": None, "train-labels-idx1-ubyte": None}, "LAYOUT_UNKNOWN"),
    ],
)
def test_idx_files_that_do_not_fit_are_refused(changes: dict[str, bytes | None], reason: str) -> None:
    files = {**idx_pair("train", [0, 1]), **idx_pair("t10k", [1, 0]), **changes}
    with pytest.raises(InvalidArgument) as refused:
        described_files({path: content for path, content in files.items() if content is not None})
    assert refused.value.reason == reason


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_who_pushes_and_who_trains_hold_out_the_same_images(path: str) -> None:
    assert hash_split(path) == description.hash_split(path)


def test_which_images_are_held_out_never_changes() -> None:
    names = [f"{label}/{number:05}.png" for label in ("cat", "dog") for number in range(20)]
    held_out = [name for name in names if hash_split(name) == "test"]
    assert (
        held_out
        == ["cat/00001.png", "cat/00010.png", "dog/00009.png", "dog/00012.png", "dog/00013.png", "dog/00015.png"]
        == [name for name in names if description.hash_split(name) == "test"]
    )
