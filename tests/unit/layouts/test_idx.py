import gzip
import struct
from typing import Any

import numpy as np
import pytest

from modelyard.layouts import DataUnreadable, LayoutError, LayoutUnknown, SplitRule
from tests.support.pictures import idx, idx_pair
from tests.support.trees import described, detected, read_back, tree, whole


def content(file: str | bytes) -> bytes:
    return file if isinstance(file, bytes) else file.encode()


def files_of(**splits: list[int]) -> dict[str, str | bytes]:
    files: dict[str, str | bytes] = {}
    for split, labels in splits.items():
        files |= idx_pair(split, labels)
    return files


def test_mnists_files_are_read_as_they_are() -> None:
    files = files_of(train=[0, 1, 2, 7], t10k=[1, 0])
    description, rows, _ = whole(files)
    image, label = description.features
    assert (description.layout, description.split_rule) == ("idx", SplitRule("file"))
    assert (image.shape, image.encoding, image.dtype) == ((4, 4, 1), "raw", "uint8")
    assert label.classes == tuple(map(str, range(8)))
    assert rows["train"].columns["label"] == [0, 1, 2, 7]
    pixels = files["train-images-idx3-ubyte"]
    assert rows["train"].columns["image"] == [pixels[16 + 16 * at : 32 + 16 * at] for at in range(4)]
    assert rows["test"].origins == ["t10k-images-idx3-ubyte:1", "t10k-images-idx3-ubyte:2"]


def test_gzipped_files_are_inflated() -> None:
    plain = files_of(train=[0, 1, 0])
    zipped: dict[str, str | bytes] = {f"{name}.gz": gzip.compress(content(plain[name]), mtime=0) for name in plain}
    description, rows, _ = whole(zipped)
    assert description.splits[0].files == ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
    images = np.array(rows["train"].columns["image"], np.uint8)
    assert images.tobytes() == content(plain["train-images-idx3-ubyte"])[16:]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"train-labels-idx1-ubyte": idx(bytes(3), 3)}, "COUNTS_DIFFER"),
        ({"train-images-idx3-ubyte": b"PK\3\4 and so on, longer"}, "IDX_UNREADABLE"),
        ({"train-images-idx3-ubyte": b"\0\0"}, "IDX_UNREADABLE"),
        ({"train-images-idx3-ubyte": b""}, "IDX_UNREADABLE"),
        ({"train-images-idx3-ubyte": idx(bytes(31), 2, 4, 4)}, "IDX_UNREADABLE"),
        ({"t10k-images-idx3-ubyte": idx(bytes(50), 2, 5, 5)}, "SHAPES_DIFFER"),
        ({"t10k-images-idx3-ubyte.gz": b"no gzip", "t10k-images-idx3-ubyte": None}, "IDX_UNREADABLE"),
        (
            {"t10k-images-idx3-ubyte.gz": gzip.compress(bytes(99), mtime=0)[:12], "t10k-images-idx3-ubyte": None},
            "DATA_DAMAGED",
        ),
        ({"t10k-labels-idx1-ubyte": None}, "LAYOUT_UNKNOWN"),
        ({"train-images-idx3-ubyte": None, "train-labels-idx1-ubyte": None}, "LAYOUT_UNKNOWN"),
    ],
)
def test_files_that_do_not_fit_are_refused(changes: dict[str, Any], reason: str) -> None:
    files = files_of(train=[0, 1], t10k=[1, 0]) | changes
    with pytest.raises(LayoutError) as refused:
        detected({path: content for path, content in files.items() if content is not None})
    assert refused.value.reason == reason


def test_two_pairs_for_one_split_are_refused() -> None:
    with pytest.raises(LayoutUnknown) as refused:
        detected(files_of(train=[0, 1], t10k=[1, 0], test=[0, 0]))
    assert refused.value.message == (
        "t10k-images-idx3-ubyte and test-images-idx3-ubyte both hold the images of split 'test'; keep one of the two"
    )


def test_a_file_may_lie_beside_its_gzip() -> None:
    plain = files_of(train=[0, 1, 0])
    zipped = {f"{name}.gz": gzip.compress(content(plain[name]), mtime=0) for name in plain}
    assert described(plain | zipped).examples == {"train": 3}


def bomb(count: int) -> bytes:
    return gzip.compress(struct.pack(">HBBIII", 0, 8, 3, count, 4, 4) + bytes(count * 16 + (3 << 20)), mtime=0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"train-labels-idx1-ubyte": idx(bytes([0, 9]), 2)}, "has 9 as label 1; with 2 classes labels go from 0 to 1"),
        ({"train-labels-idx1-ubyte": idx(bytes(2), 1, 1, 2)}, "begins with 00000803; an IDX file for this begins with"),
        ({"train-labels-idx1-ubyte": idx(bytes(1), 1)}, "holds 1 examples; the description claims 2"),
        ({"train-images-idx3-ubyte": idx(bytes(24), 2, 3, 4)}, "has images of 3 × 4 × 1; the description claims 4 × 4"),
        ({"train-images-idx3-ubyte": bomb(2)}, "has more than the 48 bytes that its header asks for"),
        ({"train-images-idx3-ubyte": None}, "is named by the description, but the tree does not have it"),
    ],
)
def test_what_is_not_as_claimed_is_named(changes: dict[str, Any], said: str) -> None:
    good = files_of(train=[0, 1])
    files = {path: content for path, content in (good | changes).items() if content is not None}
    with pytest.raises(DataUnreadable) as refused:
        read_back(described(good), tree(files))
    assert refused.value.path in changes
    assert said in refused.value.message
