"""A prepared dataset, made of a tree's packs in this process."""

import gzip
import json
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelyard.job import columns
from modelyard.job.columns import RANGE, Column
from modelyard.job.errors import DatasetDescriptionWrong, DatasetUnsuitable
from modelyard.job.index import Index
from modelyard.job.indexing import build_index
from modelyard.job.packs import PACKS_FOLDER, pack_path
from modelyard.job.trial import prepare_dataset
from modelyard.layouts import Description, Feature, Options, Split, SplitRule, to_bytes
from modelyard.tree import Entry

IMAGES = np.arange(5 * 4 * 3, dtype=np.uint8).reshape(5, 4, 3)
LABELS = np.array([0, 1, 2, 1, 0], np.uint8)
LABEL = Feature("label", "category", "int64", role="target", classes=("ant", "bee", "cat"))


def idx(values: Any) -> bytes:
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + bytes(values.tobytes())


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width + 1) * height))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def of_images(layout: str, *splits: Split, encoding: str = "raw") -> Description:
    image = Feature("image", "image", "uint8", (4, 3, 1), encoding=encoding)
    return Description("image", layout, (image, LABEL), splits, SplitRule("file" if layout == "idx" else "folder"))


@pytest.mark.parametrize("images", [idx(IMAGES), gzip.compress(idx(IMAGES), mtime=0)], ids=["plain", "gzip"])
def test_idx_files_become_one_mapped_array(tmp_path: Path, images: bytes) -> None:
    described = of_images("idx", Split("train", 5, ("images", "labels")))
    prepare_dataset(tmp_path, {"images": images, "labels": idx(LABELS)}, described)
    index = Index(tmp_path)
    train = index.split("train")
    array = train.column("image").array
    assert array is not None
    np.testing.assert_array_equal(array[..., 0], IMAGES)
    assert not array.flags.writeable
    labels = train.column("label").array
    assert labels is not None
    assert labels.tolist() == LABELS.tolist()
    assert (train.column("image").read(3), train.origin(3)) == (IMAGES[3].tobytes(), "images:4")
    assert (index.classes, index.held_out, index.splits) == (("ant", "bee", "cat"), None, {"train": 5})


def test_folders_are_indexed_where_their_files_lie(tmp_path: Path) -> None:
    names = ("train/ant/1.png", "train/bee/1.png", "validation/ant/2.png", "test/cat/3.png")
    splits = (Split("train", 2), Split("validation", 1), Split("test", 1))
    prepare_dataset(tmp_path, {name: png(3, 4) for name in names}, of_images("class_folders", *splits, encoding="png"))
    index = Index(tmp_path)
    test = index.split("test").column("image")
    assert (test.array, test.read(0), test.file(0).read(1, 3)) == (None, png(3, 4), b"PNG")
    assert index.held_out == "validation"
    assert not (tmp_path / "unpacked").exists()
    with pytest.raises(DatasetUnsuitable, match="no split 'extra'"):
        index.split("extra")
    with pytest.raises(DatasetUnsuitable, match="no feature 'picture'"):
        index.split("test").column("picture")


def test_texts_numbers_and_items_keep_what_the_rows_say(tmp_path: Path) -> None:
    ratings = b"user,item,rating\n" + b"".join(b"u%d,i%d,%d\n" % (n % 3, n % 4, n % 5) for n in range(40))
    items = b"item,title\n" + b"".join("i%d,Für %d\n".encode() % (n, n) for n in range(4))
    prepare_dataset(tmp_path, {"ratings.csv": ratings, "items.csv": items}, options=Options(layout="interactions"))
    index = Index(tmp_path)
    train, table = index.split("train"), index.items
    assert table is not None
    assert [table.column("title").read(row).decode() for row in range(len(table))] == [f"Für {n}" for n in range(4)]
    row = int(train.origin(0).removeprefix("ratings.csv:")) - 2
    assert train.column("user").gather([0]).tolist() == [b"u%d" % (row % 3)]
    found = train.column("rating").array
    assert found is not None
    assert found.dtype == np.float32
    assert found[0] == row % 5


@pytest.mark.parametrize("gap", [0, 3 << 20], ids=["one behind the other", "far apart"])
def test_a_stretch_of_examples_is_what_each_of_them_is(tmp_path: Path, gap: int) -> None:
    texts = [b"one", b"", b"two", b"three", b"four"]
    ranges = np.array([(n * (8 + gap), len(text), n // 3) for n, text in enumerate(texts)], RANGE)
    files = [tmp_path / "0", tmp_path / "1"]
    for (offset, _, number), text in zip(ranges.tolist(), texts, strict=True):
        with files[number].open("r+b" if files[number].exists() else "wb") as file:
            file.seek(offset)
            file.write(text)
    column = Column(Feature("text", "text", "string"), ranges, files)
    assert [column.read(row) for row in range(5)] == texts
    assert column.between(0, 5).tolist() == texts
    assert column.between(1, 4).tolist() == texts[1:4]
    assert column.between(3, 3).tolist() == []
    column.forget()
    assert column.read(3) == texts[3]
    assert column.piece(0, 5) is None, "they lie in two files"
    found = column.piece(0, 1)
    assert found is not None
    assert (found[0].tobytes(), found[1].tolist()) == (texts[0], [0, 3])


def test_examples_one_behind_the_other_are_one_piece(tmp_path: Path) -> None:
    texts = [b"", b"one", b"", b"three", b""]
    (tmp_path / "0").write_bytes(b"before" + b"".join(texts))
    ranges = np.array([(6 + len(b"".join(texts[:n])), len(text), 0) for n, text in enumerate(texts)], RANGE)
    column = Column(Feature("text", "text", "string"), ranges, [tmp_path / "0"])
    for start, stop in ((0, 5), (1, 3), (2, 3), (4, 5)):
        found = column.piece(start, stop)
        assert found is not None
        data, places = found
        assert [data[a:b].tobytes() for a, b in pairwise(places.tolist())] == texts[start:stop]
    assert column.piece(2, 2) is None


def test_of_thousands_of_large_files_only_the_last_ones_are_mapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "MOST_MAPPED", 3)
    files = [tmp_path / str(number) for number in range(20)]
    for number, file in enumerate(files):
        file.write_bytes(b"file %02d" % number)
    column = Column(Feature("text", "text", "string"), np.array([(0, 7, n) for n in range(20)], RANGE), files)
    found = column.piece(0, 1)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with ThreadPoolExecutor(4) as threads:
        read = list(threads.map(column.read, [*range(20)] * 50))
    assert read == [b"file %02d" % number for number in range(20)] * 50
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 3
    column.forget()
    assert found is not None
    assert found[0].tobytes() == b"file 00", "what is looked at stays, whatever was mapped since"


def test_origins_are_read_from_any_example_on(tmp_path: Path) -> None:
    files = {f"train/{'ant' if n % 2 else 'bee'}/{n}.txt": b"text %d" % n for n in range(8)}
    prepare_dataset(tmp_path, files)
    train = Index(tmp_path).split("train")
    for start in (0, 3, len(train)):
        assert list(train.origins(start)) == [train.origin(row) for row in range(start, len(train))]


def test_what_cannot_be_used_is_left_out_and_named(tmp_path: Path) -> None:
    files = {f"train/ant/{n}.png": png(3, 4) for n in range(3)} | {"train/bee/bad.png": b"hello"}
    prepare_dataset(tmp_path, files, of_images("class_folders", Split("train", 3), encoding="png"))
    (problem,) = map(json.loads, (tmp_path / "problems.jsonl").read_text().splitlines())
    assert (problem["path"], problem["row"]) == ("train/bee/bad.png", 0)
    assert "hello" in problem["reason"]
    assert Index(tmp_path).problems == 1


FAULTS = {
    "another count": (idx(LABELS[:4]), "labels", "holds 4 examples; the description claims 5"),
    "a label too large": (idx(np.array([0, 1, 9, 1, 0], np.uint8)), "labels", "9 as label 2; with 3 classes"),
    "images as labels": (idx(IMAGES), "labels", "begins with 00000803"),
    "cut off": (idx(LABELS)[:-1], "labels", "has 12 bytes; its header asks for 13"),
    "damaged gzip": (gzip.compress(idx(LABELS), mtime=0)[:-9], "labels", "is damaged gzip"),
    "a bomb": (gzip.compress(idx(LABELS) + bytes(3 << 20), mtime=0), "labels", "more than the 13 bytes"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_files_that_are_not_what_is_claimed_are_named(tmp_path: Path, fault: str) -> None:
    labels, file, words = FAULTS[fault]
    described = of_images("idx", Split("train", 5, ("images", "labels")))
    with pytest.raises(DatasetDescriptionWrong) as caught:
        prepare_dataset(tmp_path, {"images": idx(IMAGES), "labels": labels}, described)
    assert caught.value.facts["file"] == file
    assert words in caught.value.message
    assert not (tmp_path / "index.json").exists()


def test_another_number_of_examples_is_said_with_what_could_not_be_used(tmp_path: Path) -> None:
    files = {"train/ant/1.png": png(3, 4), "train/ant/bad.png": b"hello"}
    with pytest.raises(DatasetDescriptionWrong, match="has 1 examples; the description claims 2; 1 could not be used"):
        prepare_dataset(tmp_path, files, of_images("class_folders", Split("train", 2), encoding="png"))


def test_a_dataset_that_does_not_describe_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / PACKS_FOLDER).mkdir()
    with pytest.raises(DatasetDescriptionWrong, match="does not describe itself"):
        build_index([], tmp_path)


def test_a_copy_that_is_cut_off_is_noticed(tmp_path: Path) -> None:
    (tmp_path / PACKS_FOLDER).mkdir()
    pack_path(tmp_path, "p").write_bytes(b"short")
    with pytest.raises(DatasetDescriptionWrong, match="the copy is incomplete"):
        build_index([Entry("a", 6, "0" * 64, "p", 0)], tmp_path)


def test_an_index_of_an_earlier_release_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text('{"format": 1}')
    with pytest.raises(DatasetUnsuitable, match="format 1; this version reads 2"):
        Index(tmp_path)


def test_boxes_of_different_numbers_are_padded(tmp_path: Path) -> None:
    about = {
        "images": [{"id": n, "file_name": f"{n}.png", "width": 3, "height": 4} for n in range(3)],
        "annotations": [{"image_id": n, "bbox": [0, 1, 2, 2], "category_id": 7} for n in (0, 0, 1)],
        "categories": [{"id": 7, "name": "ant"}],
    }
    files = {f"images/{n}.png": png(3, 4) for n in range(3)} | {"train.json": json.dumps(about).encode()}
    prepare_dataset(tmp_path, files)
    boxes = Index(tmp_path).split("train").column("boxes").padded()
    assert boxes.shape == (3, 2, 4)
    assert boxes[0].tolist() == [[0, 1, 2, 3]] * 2
    assert boxes[2].tolist() == [[-1] * 4] * 2


def test_a_description_of_the_first_format_is_indexed_too(tmp_path: Path) -> None:
    described = {
        "format": 1,
        "layout": "idx",
        "modality": "image",
        "features": {
            "image": {"dtype": "uint8", "shape": [4, 3, 1], "encoding": "raw"},
            "label": {"dtype": "int64", "classes": ["ant", "bee", "cat"]},
        },
        "splits": {"train": {"examples": 5, "images": "i", "labels": "l"}},
    }
    files = {"i": idx(IMAGES), "l": idx(LABELS), "modelyard.dataset.json": json.dumps(described).encode()}
    prepare_dataset(tmp_path, files)
    assert Index(tmp_path).splits == {"train": 5}
    assert b'"format": 2' in to_bytes(Index(tmp_path).description)


def test_what_is_left_out_is_gone_from_columns_origins_and_counts(tmp_path: Path) -> None:
    names = [f"train/{label}/{number}.png" for label in ("ant", "bee") for number in range(5)]
    description = of_images("class_folders", Split("train", 10), encoding="png")
    prepare_dataset(tmp_path, {name: png(3, 4) + name.encode() for name in names}, description)
    index = Index(tmp_path)
    index.leave_out(index.split("train"), [0, 7])
    index.leave_out(index.split("train"), [3])
    train = index.split("train")
    rest = [name for name in names if name not in (names[0], names[7], names[4])]
    assert (index.splits, len(train)) == ({"train": 7}, 7)
    assert [train.origin(number) for number in range(7)] == list(train.origins()) == rest
    assert list(train.origins(5)) == rest[5:]
    images, labels = train.column("image"), train.column("label").array
    assert [images.read(number).endswith(name.encode()) for number, name in enumerate(rest)] == [True] * 7
    assert labels is not None
    assert [train.features["label"].classes[label] for label in labels] == [name.split("/")[1] for name in rest]
    assert train.key not in ("train", index.split("train").without([1]).key)
