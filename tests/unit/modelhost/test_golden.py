import io
import json
import zipfile
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from modelyard.api.serving.v1 import predict_pb2, tensor_pb2
from modelyard.modelhost.domain import CannotServe
from modelyard.modelhost.golden import ROWS, Example, examples
from modelyard.modelserver import tensors as served
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
    time = one.astype("datetime64[s]")
    assert examples(written(tmp_path, s__inputs__x=time, s__outputs__y=one)) == []
    (example,) = examples(written(tmp_path, s__inputs__x=one, s__outputs__y=one, s__outputs__t=time))
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


def response(**arrays: Any) -> predict_pb2.PredictResponse:
    return predict_pb2.PredictResponse(outputs={name: served.encode(array) for name, array in arrays.items()})


def test_inputs_of_types_that_numpy_lacks_are_asked_in_them(tmp_path: Path) -> None:
    wide = np.array([[0.5, -1.25]], np.float32)
    types = {"b": "bfloat16", "f": "float8_e4m3fn", "x": "float32"}
    described = {"signatures": {"s": {"inputs": {name: {"dtype": dtype} for name, dtype in types.items()}}}}
    (tmp_path / "modelyard.model.json").write_text(json.dumps(described))
    (example,) = examples(
        written(tmp_path, s__inputs__b=wide, s__inputs__f=wide, s__inputs__x=wide, s__outputs__y=wide)
    )
    for name, dtype in types.items():
        assert example.inputs[name] == encode(wide.astype(getattr(ml_dtypes, dtype, dtype)))


@pytest.mark.parametrize(
    ("dtype", "step"), [(ml_dtypes.bfloat16, 1 / 128), (ml_dtypes.float8_e5m2, 0.25), (ml_dtypes.float8_e4m3fn, 0.125)]
)
def test_narrow_floats_may_be_their_neighbours_and_not_more(tmp_path: Path, dtype: Any, step: float) -> None:
    one = np.ones((1, 2), np.float32)
    (example,) = examples(written(tmp_path, s__inputs__x=one, s__outputs__y=one))
    assert example.difference(response(y=(one + step).astype(dtype))) == ""
    assert "s: y is not what it was" in example.difference(response(y=(one + 5 * step).astype(dtype)))


def test_complex_answers_are_compared_in_both_parts(tmp_path: Path) -> None:
    said = np.array([[1 + 2j]], np.complex64)
    (example,) = examples(written(tmp_path, s__inputs__x=said, s__outputs__y=said))
    assert example.inputs["x"] == encode(said)
    assert example.difference(response(y=said + 1e-5j)) == ""
    assert "s: y is not what it was" in example.difference(response(y=said + 1j))
    assert "s: y is not what it was" in example.difference(response(y=said + 1))


def test_what_is_no_float_has_to_be_the_same_unless_floats_have_chosen_it(tmp_path: Path) -> None:
    x, names = np.ones((2, 1), np.float32), np.array([b"cat", b"dog\0"])
    (example,) = examples(written(tmp_path, s__inputs__x=x, s__outputs__label=names))
    assert example.difference(response(label=np.array([b"cat", b"dog"], object))) == ""
    other = response(label=np.array([b"cat", b"cat"], object), p=x)
    assert example.difference(other) == "s: label is not what it was when the version was made"
    (example,) = examples(written(tmp_path, s__inputs__x=x, s__outputs__label=names, s__outputs__p=x))
    assert example.difference(other) == ""


def test_a_signature_whose_answers_are_random_is_not_asked(tmp_path: Path) -> None:
    assert examples(written(tmp_path, s__inputs__x=np.ones((2, 1), np.float32))) == []
