from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelyard.trainer.gates.golden import Differs, Unreadable, close, difference, read


def written(folder: Path, **arrays: Any) -> Path:
    with (folder / "golden.npz").open("wb") as file:
        np.savez(file, **{name.replace("__", "/"): array for name, array in arrays.items()})
    return folder


def test_signatures_have_their_inputs_and_outputs(tmp_path: Path) -> None:
    arrays = {
        "s/inputs/a/b": np.ones((3, 2), np.float32),
        "s/outputs/y": np.array([b"x", b"yy", b""]),
        "labels": [1, 2, 3],
    }
    example = read(written(tmp_path, **arrays))["s"]
    assert example.rows == 3
    assert example.row(1)["a/b"].shape == (1, 2)
    assert example.outputs["y"].tolist() == [b"x", b"yy", b""]


def test_what_has_no_rows_is_one_request(tmp_path: Path) -> None:
    example = read(
        written(tmp_path, s__inputs__x=np.float32(1), s__outputs__y=np.ones((2, 2)), s__outputs__z=np.zeros(0))
    )
    assert example["s"].rows == 0


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"\x93NUMPY"])
def test_what_is_no_archive_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "golden.npz").write_bytes(content)
    with pytest.raises(Unreadable, match="can't be read"):
        read(tmp_path)


def test_none_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="it has no golden"):
        read(tmp_path)
    with pytest.raises(Unreadable, match="no golden answers to compare with"):
        read(written(tmp_path, labels=np.zeros(3)))


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="array of object"):
        read(written(tmp_path, s__inputs__x=np.array([{}], object), s__outputs__y=np.ones(1)))


def test_what_unpacks_to_much_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "golden.npz").open("wb") as file:
        np.savez_compressed(file, answers=np.zeros(65 << 20, np.uint8))
    with pytest.raises(Unreadable, match="bytes large"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("got", "problem"),
    [
        ({}, "output 'y' is missing"),
        ({"y": np.ones((1, 3), np.float32)}, "has the shape"),
        ({"y": np.array([[1.0, 2.1]], np.float32)}, "answers otherwise in output 'y', by up to 0.1"),
        ({"y": np.array([[1.0, np.nan]], np.float32)}, "answers otherwise in output 'y'"),
    ],
)
def test_other_answers_are_said(got: dict[str, Any], problem: str) -> None:
    with pytest.raises(Differs) as caught:
        difference(got, {"y": np.array([[1.0, 2.0]], np.float32)}, {"y": "float32"})
    assert problem in str(caught.value)


def test_numbers_of_half_the_bits_may_differ_more() -> None:
    assert close(np.array([1.002]), np.array([1.0], np.float16), "float16")
    assert not close(np.array([1.002]), np.array([1.0], np.float32), "float32")
    assert close(np.array([-np.inf]), np.array([-np.inf], np.float32), "float32")
