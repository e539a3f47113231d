import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelyard.api.serving.v1 import predict_pb2, tensor_pb2
from modelyard.modelhost.domain import CannotServe
from modelyard.modelhost.golden import ROWS, Example, examples
from modelyard.sdk.tensors import encode, values


def written(folder: Path, **arrays: Any) -> Path:
    file = io.BytesIO()
    np.savez(file, **{name.replace("__", "/"): array for name, array in arrays.items()})
    (folder / "golden.npz").write_bytes(file.getvalue())
    return folder


def archive(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as members:
        members.writestr("s/inputs/x.npy", content)
    return file.getvalue()


def npy(header: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()


def test_examples_are_read_without_numpy(tmp_path: Path) -> None:
    image = np.arange(8 * 4, dtype=np.uint8).reshape(8, 2, 2, 1)
    found = examples(
        written(
            tmp_path,
            serving_default__inputs__image=image,
            serving_default__outputs__p=np.ones((8, 3), np.float32),
            encoded__inputs__image_bytes=np.array([b"\x89PNG\0", b"longer one"] * 4),
            encoded__outputs__label=np.array([b"cat"] * 8),
            labels=np.zeros(8),
        ),
        row_wise=True,
    )
    by_name = {example.signature: example for example in found}
    assert set(by_name) == {"serving_default", "encoded"}
    tensor = by_name["serving_default"].inputs["image"]
    assert tensor == encode(image[:ROWS])
    assert values(by_name["serving_default"].outputs["p"]) == [1.0] * 3 * ROWS
    assert list(by_name["encoded"].inputs["image_bytes"].string_val) == [b"\x89PNG", b"longer one"] * 2


def test_all_rows_are_asked_where_they_may_depend_on_each_other(tmp_path: Path) -> None:
    (example,) = examples(
        written(tmp_path, s__inputs__x=np.ones((9, 2), np.float32), s__outputs__y=np.float32(3.0), s__outputs__z=[True])
    )
    assert [dim.size for dim in example.inputs["x"].tensor_shape.dim] == [9, 2]
    assert values(example.outputs["y"]) == [3.0]
    assert not example.outputs["y"].tensor_shape.dim


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a zip",
        b"PK\x03\x04",
        archive(b"\x93NUMPY\x01\x00v\x00" + b"(" * 118),
        archive(b"\x93NUMPY\x01\x00"),
        archive(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,)}")),
        archive(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}")),
        archive(npy("{'shape': (1,)}")),
    ],
)
def test_a_damaged_file_is_said(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "golden.npz").write_bytes(data)
    with pytest.raises(CannotServe, match=r"golden answers, golden\.npz, can't be read"):
        examples(tmp_path)


def test_a_file_that_unpacks_to_much_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "golden.npz").open("wb") as file:
        np.savez_compressed(file, **{"s/inputs/x": np.zeros(65 << 20, np.uint8)})  # type: ignore[arg-type]
    with pytest.raises(CannotServe, match="larger than 64 MiB"):
        examples(tmp_path)


def test_types_that_are_not_read_here_are_left_out(tmp_path: Path) -> None:
    one = np.ones((2, 2), np.float32)
    assert examples(written(tmp_path, s__inputs__x=one.astype(np.complex64), s__outputs__y=one)) == []
    (example,) = examples(
        written(tmp_path, s__inputs__x=one, s__outputs__y=one, s__outputs__c=one.astype(np.complex64))
    )
    assert set(example.outputs) == {"y"}
    assert examples(tmp_path / "nowhere") == []


def test_the_description_names_the_file(tmp_path: Path) -> None:
    written(tmp_path, s__inputs__x=np.ones((2, 2), np.float32), s__outputs__y=np.ones(2, np.float32))
    (tmp_path / "golden.npz").rename(tmp_path / "other.npz")
    assert examples(tmp_path) == []
    (tmp_path / "modelyard.model.json").write_text('{"golden": "other.npz"}')
    assert len(examples(tmp_path)) == 1
    (tmp_path / "modelyard.model.json").write_text('{"golden": "../other.npz"}')
    assert examples(tmp_path) == []


def answer(*numbers: float) -> predict_pb2.PredictResponse:
    return predict_pb2.PredictResponse(outputs={"p": encode(np.array([numbers], np.float32))})


EXAMPLE = Example("s", {}, {"p": encode(np.array([[0.25, 0.75]], np.float32))})


@pytest.mark.parametrize(
    ("response", "wrong"),
    [
        (answer(0.25, 0.75), ""),
        (answer(0.2501, 0.7499), ""),
        (answer(0.3, 0.7), "s: p is not what it was"),
        (answer(float("nan"), 0.75), "s: p is not what it was"),
        (answer(0.25), "s: p has 1 values for 2"),
        (predict_pb2.PredictResponse(), "s has no output p"),
    ],
)
def test_an_answer_is_compared_with_the_golden_one(response: predict_pb2.PredictResponse, wrong: str) -> None:
    found = EXAMPLE.difference(response)
    assert found.startswith(wrong)
    assert bool(found) == bool(wrong)


def test_large_values_may_differ_in_proportion() -> None:
    example = Example("s", {}, {"p": encode(np.array([[5000.0]], np.float32))})
    assert example.difference(answer(5001.0)) == ""
    assert example.difference(answer(5100.0)) != ""


def test_a_request_names_model_version_and_signature() -> None:
    request = EXAMPLE.request("digits", 3)
    assert (request.model_spec.name, request.model_spec.version.value, request.model_spec.signature_name) == (
        "digits",
        3,
        "s",
    )
    assert EXAMPLE.outputs["p"].dtype == tensor_pb2.DT_FLOAT
