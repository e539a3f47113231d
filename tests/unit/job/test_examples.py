import gzip
import hashlib
import json
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelyard.job.description import hash_split, parse_description
from modelyard.job.errors import DatasetDescriptionWrong, DatasetUnsuitable
from modelyard.job.examples import Index, build_index, pack_path
from modelyard.tree import File, plan_packs

IMAGES = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)
LABELS = np.array([0, 1, 2, 1, 0], np.uint8)


def idx_bytes(values: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width + 1) * height))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def description(layout: str, splits: dict[str, Any], shape: list[int | None], **more: Any) -> dict[str, Any]:
    return {
        "format": 1,
        "layout": layout,
        "modality": "image",
        "features": {
            "image": {"dtype": "uint8", "shape": shape, "encoding": "raw" if layout == "idx" else "png"},
            "label": {"dtype": "int64", "classes": ["ant", "bee", "cat"]},
        },
        "splits": splits,
        **more,
    }


def idx_set(**files: bytes) -> tuple[dict[str, bytes], dict[str, Any]]:
    contents = {"images.gz": gzip.compress(idx_bytes(IMAGES)), "labels": idx_bytes(LABELS), **files}
    split = {"examples": 5, "images": "images.gz", "labels": "labels"}
    return contents, description("idx", {"train": split}, [4, 3, 1])


def build(
    folder: Path, contents: Mapping[str, bytes], claims: Mapping[str, Any], pack_bytes: int = 200
) -> dict[str, int]:
    files = [File(path, len(data), hashlib.sha256(data).hexdigest()) for path, data in contents.items()]
    plan = plan_packs(files, prefix="packs/", pack_bytes=pack_bytes)
    (folder / "packs").mkdir()
    for pack in plan.packs:
        pack_path(folder, pack.pack).write_bytes(b"".join(contents[entry.path] for entry in pack.files))
    return build_index(parse_description(json.dumps(claims).encode()), plan.entries, folder)


def test_idx_files_become_mapped_arrays(tmp_path: Path) -> None:
    contents, claims = idx_set()
    contents["more"] = idx_bytes(IMAGES[:2])
    contents["more-labels"] = idx_bytes(LABELS[:2])
    claims["splits"]["test"] = {"examples": 2, "images": "more", "labels": "more-labels"}
    assert build(tmp_path, contents, claims) == {"train": 5, "test": 2}
    index = Index(tmp_path)
    train, test = index.split("train"), index.split("test")
    assert train.raw is not None
    assert test.raw is not None
    np.testing.assert_array_equal(train.raw[..., 0], IMAGES)
    np.testing.assert_array_equal(test.raw[..., 0], IMAGES[:2])
    assert train.labels.tolist() == LABELS.tolist()
    assert train.read(3) == IMAGES[3].tobytes()
    assert index.held_out == "test"
    assert index.classes == ("ant", "bee", "cat")


def folders(*names: str) -> dict[str, bytes]:
    return {name: png(3, 4) for name in names}


@pytest.mark.parametrize("pack_bytes", [100, 1 << 20])
def test_a_folder_a_class_is_split_by_the_hash_of_each_path(tmp_path: Path, pack_bytes: int) -> None:
    contents = folders(*(f"{name}/{n}.png" for name in ("ant", "bee", "cat") for n in range(20)))
    contents |= {"README.md": b"about", ".hidden/file": b""}
    held_out = sorted(path for path in contents if path.endswith("png") and hash_split(path) == "test")
    claims = description(
        "class_folders",
        {"train": {"examples": 60 - len(held_out)}, "test": {"examples": len(held_out)}},
        [4, 3, 1],
        split_rule="hash-10",
    )
    build(tmp_path, contents, claims, pack_bytes)
    test = Index(tmp_path).split("test")
    assert [test.path(n) for n in range(len(test))] == held_out
    assert [index_class(test, n) for n in range(len(test))] == [path.split("/")[0] for path in held_out]
    assert test.read(0) == contents[held_out[0]]
    assert test.raw is None


def index_class(examples: Any, number: int) -> str:
    return ("ant", "bee", "cat")[examples.labels[number]]


def test_folders_can_say_the_split_themselves(tmp_path: Path) -> None:
    contents = folders("train/ant/1.png", "train/bee/1.png", "validation/ant/2.png", "test/cat/3.png")
    splits = {"train": {"examples": 2}, "validation": {"examples": 1}, "test": {"examples": 1}}
    claims = description("class_folders", splits, [None, None, 1], split_rule="folder")
    assert build(tmp_path, contents, claims) == {"train": 2, "validation": 1, "test": 1}
    index = Index(tmp_path)
    assert index.held_out == "validation"
    assert index.split("test").labels.tolist() == [2]
    with pytest.raises(DatasetUnsuitable, match="no split 'extra'"):
        index.split("extra")


def bomb() -> bytes:
    return gzip.compress(idx_bytes(IMAGES) + bytes(3 << 20))


IDX_FAULTS: dict[str, tuple[Callable[[dict[str, bytes], dict[str, Any]], Any], str, str]] = {
    "label too large": (
        lambda c, d: c.update(labels=idx_bytes(np.array([0, 1, 9, 1, 0], np.uint8))),
        "labels",
        "label 2 is 9; with 3 classes labels go from 0 to 2",
    ),
    "images as labels": (
        lambda c, d: c.update(labels=idx_bytes(IMAGES)),
        "labels",
        "begins with 00000803; an IDX file for this begins with 00000801",
    ),
    "missing file": (lambda c, d: c.pop("labels"), "labels", "the tree does not have it"),
    "empty file": (lambda c, d: c.update(labels=b""), "labels", "is empty"),
    "too few labels": (
        lambda c, d: c.update(labels=idx_bytes(LABELS[:4])),
        "labels",
        "holds 4 examples; the description claims 5",
    ),
    "cut off": (lambda c, d: c.update(labels=idx_bytes(LABELS)[:-1]), "labels", "has 12 bytes; its header asks for 13"),
    "another shape": (
        lambda c, d: d["features"]["image"].update(shape=[3, 4, 1]),
        "images.gz",
        "its images are 4 × 3 × 1; the description claims 3 × 4 × 1",
    ),
    "another count": (
        lambda c, d: d["splits"]["train"].update(examples=6),
        "images.gz",
        "holds 5 examples; the description claims 6",
    ),
    "a bomb": (lambda c, d: c.update({"images.gz": bomb()}), "images.gz", "unpacks to more than the 76 bytes"),
    "damaged gzip": (
        lambda c, d: c.update({"images.gz": c["images.gz"][:-9]}),
        "images.gz",
        "is damaged gzip",
    ),
}


@pytest.mark.parametrize("fault", IDX_FAULTS)
def test_idx_files_that_are_not_what_is_claimed_are_named(tmp_path: Path, fault: str) -> None:
    damage, file, words = IDX_FAULTS[fault]
    contents, claims = idx_set()
    damage(contents, claims)
    with pytest.raises(DatasetDescriptionWrong) as caught:
        build(tmp_path, contents, claims)
    assert caught.value.reason == "DATASET_DESCRIPTION_WRONG"
    assert caught.value.facts["file"] == file
    assert words in caught.value.message
    assert not (tmp_path / "index.json").exists()


FOLDER_FAULTS = {
    "unknown class": ({"train/dog/1.png": png(3, 4)}, "train/dog/1.png", "folder 'dog' is no class"),
    "no image": ({"train/bee/1.png": b"hello"}, "train/bee/1.png", "it is no PNG, JPEG, GIF or BMP image"),
    "an empty file": ({"train/bee/1.png": b""}, "train/bee/1.png", "it is no PNG, JPEG, GIF or BMP image"),
    "another height": ({"train/bee/1.png": png(3, 5)}, "train/bee/1.png", "is 5 pixels high; the description claims 4"),
    "outside the splits": ({"bee/1.png": png(3, 4)}, "bee/1.png", "is not under train/"),
    "an unclaimed split": ({"test/bee/1.png": png(3, 4)}, "test/bee/1.png", "which the description does not claim"),
    "one too many": ({"train/bee/1.png": png(3, 4)}, "train/", "has 2 examples; the description claims 1"),
}


@pytest.mark.parametrize("fault", FOLDER_FAULTS)
def test_folders_that_are_not_what_is_claimed_are_named(tmp_path: Path, fault: str) -> None:
    more, file, words = FOLDER_FAULTS[fault]
    claims = description("class_folders", {"train": {"examples": 1}}, [4, 3, 1], split_rule="folder")
    with pytest.raises(DatasetDescriptionWrong) as caught:
        build(tmp_path, folders("train/ant/1.png") | more, claims)
    assert caught.value.facts["file"] == file
    assert words in caught.value.message


def test_a_dataset_without_training_examples_is_refused(tmp_path: Path) -> None:
    splits = {"train": {"examples": 0}, "test": {"examples": 1}}
    claims = description("class_folders", splits, [4, 3, 1], split_rule="folder")
    with pytest.raises(DatasetDescriptionWrong, match="nothing to train on"):
        build(tmp_path, folders("test/ant/1.png"), claims)


def test_a_copy_that_is_cut_off_is_noticed(tmp_path: Path) -> None:
    contents, claims = idx_set()
    files = [File(path, len(data), hashlib.sha256(data).hexdigest()) for path, data in contents.items()]
    plan = plan_packs(files, prefix="p")
    (tmp_path / "packs").mkdir()
    for pack in plan.packs:
        data = b"".join(contents[entry.path] for entry in pack.files)
        pack_path(tmp_path, pack.pack).write_bytes(data[:-5])
    with pytest.raises(DatasetDescriptionWrong, match="the copy is incomplete"):
        build_index(parse_description(json.dumps(claims).encode()), plan.entries, tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 2}, "has format 2; this version reads format 1"),
        ({"layout": "video"}, "layout is 'video'; it must be one of class_folders, idx"),
        ({"modality": "sound"}, "modality is 'sound'"),
        ({"split_rule": "coin"}, "split_rule is 'coin'"),
        ({"features": {}}, "features.image is missing"),
        ({"splits": {"test": {"examples": 1}}}, "splits has no 'train'"),
        ({"splits": {"train": {"examples": -1}}}, "splits.train.examples is -1"),
        ({"splits": {"extra": {"examples": 1}}}, "splits.extra is unknown"),
    ],
)
def test_a_description_that_cannot_be_read_says_where(change: dict[str, Any], words: str) -> None:
    claims = description("class_folders", {"train": {"examples": 1}}, [4, 3, 1], split_rule="folder")
    with pytest.raises(DatasetDescriptionWrong) as caught:
        parse_description(json.dumps({**claims, **change}).encode())
    assert words in caught.value.message


@pytest.mark.parametrize("classes", [[], ["a", "a"], ["a\nb"], [""], "ab", None])
def test_class_names_are_distinct_and_printable(classes: object) -> None:
    claims = description("class_folders", {"train": {"examples": 1}}, [4, 3, 1], split_rule="folder")
    claims["features"]["label"]["classes"] = classes
    with pytest.raises(DatasetDescriptionWrong, match=r"features\.label\.classes"):
        parse_description(json.dumps(claims).encode())
