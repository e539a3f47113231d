from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from modelyard.api.serving.v1 import tensor_pb2
from modelyard.modelserver import tensors as served
from modelyard.sdk.errors import DataLoss, InvalidArgument
from modelyard.sdk.tensors import encode, narrowed, rows, shape, values

DTYPES = [
    "bool",
    *(f"{kind}int{bits}" for kind in ("", "u") for bits in (8, 16, 32, 64)),
    "float16",
    "float32",
    "float64",
    "complex64",
    "complex128",
]
NARROW = [ml_dtypes.bfloat16, ml_dtypes.float8_e5m2, ml_dtypes.float8_e4m3fn]


@pytest.mark.parametrize("name", DTYPES)
def test_arrays_of_every_type_come_back_as_they_went(name: str) -> None:
    array: NDArray[Any] = np.arange(6).reshape(2, 3).astype(name)
    tensor = encode(array)
    assert shape(tensor) == (2, 3)
    assert rows(tensor) == array.tolist()


def test_a_view_that_is_not_contiguous_is_sent_in_its_own_order() -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4).T[::2]
    assert rows(encode(array)) == array.tolist()


def test_scalars_and_empty_tensors_keep_their_shape() -> None:
    assert rows(encode(np.float32(2.5))) == 2.5
    assert shape(encode(np.zeros((0, 3), np.int64))) == (0, 3)
    assert values(encode(np.zeros((0, 3), np.int64))) == []


def test_bytes_and_text_become_strings() -> None:
    assert rows(encode([b"\x89PNG", "grün"])) == [b"\x89PNG", "grün".encode()]
    assert shape(encode("one")) == ()
    assert rows(encode(b"one")) == b"one"


@pytest.mark.parametrize("value", [3, [1, 2], [], None, ["a", 1]])
def test_what_is_no_tensor_says_what_is(value: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"wrap numbers in numpy\.array"):
        encode(value)


def test_a_type_that_tensorflow_lacks_is_named() -> None:
    with pytest.raises(InvalidArgument, match="datetime64"):
        encode(np.zeros(1, "datetime64[s]"))


@pytest.mark.parametrize("dtype", NARROW)
def test_narrow_floats_are_what_numpys_own_say_bit_for_bit(dtype: Any) -> None:
    bits = np.arange(256, dtype=np.uint8)
    array = bits.view(dtype) if np.dtype(dtype).itemsize == 1 else np.arange(0, 2**16, 7, dtype=np.uint16).view(dtype)
    expected = array.astype(np.float32)
    for tensor in (encode(array), served.encode(array)):
        np.testing.assert_array_equal(np.array(values(tensor), np.float32), expected)
    finite = expected[np.isfinite(expected)].tolist()
    assert narrowed(encode(array).dtype, finite) == array[np.isfinite(expected)].tobytes()


def test_what_a_server_answers_in_complex_numbers_is_read_in_both_encodings() -> None:
    array = np.array([[1 + 2j, -0.5j], [3, 0]], np.complex64)
    assert rows(served.encode(array)) == rows(encode(array)) == array.tolist()


@given(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=5), st.integers(0, 4))
def test_the_last_value_stands_for_those_left_out(given_values: list[int], more: int) -> None:
    tensor = tensor_pb2.Tensor(dtype=tensor_pb2.DT_INT32, int_val=given_values)
    tensor.tensor_shape.dim.add(size=len(given_values) + more)
    assert values(tensor) == given_values + [given_values[-1]] * more


@pytest.mark.parametrize(("dtype", "zero"), [("DT_FLOAT", 0), ("DT_BOOL", False), ("DT_HALF", 0.0), ("DT_STRING", b"")])
def test_no_value_at_all_means_zeros(dtype: str, zero: object) -> None:
    tensor = tensor_pb2.Tensor(dtype=tensor_pb2.DataType.Value(dtype))
    tensor.tensor_shape.dim.add(size=2)
    assert values(tensor) == [zero, zero]


def test_half_precision_comes_as_bits() -> None:
    tensor = tensor_pb2.Tensor(dtype=tensor_pb2.DT_HALF, half_val=[0x3E00])
    tensor.tensor_shape.dim.add(size=1)
    assert values(tensor) == [1.5]


@pytest.mark.parametrize(
    "tensor",
    [
        tensor_pb2.Tensor(dtype=tensor_pb2.DT_FLOAT, tensor_content=b"\0" * 5),
        tensor_pb2.Tensor(dtype=tensor_pb2.DT_FLOAT, float_val=[1, 2, 3]),
        tensor_pb2.Tensor(dtype=tensor_pb2.DT_STRING, string_val=[b"", b""]),
    ],
)
def test_a_tensor_that_does_not_fit_its_shape_is_damaged(tensor: tensor_pb2.Tensor) -> None:
    with pytest.raises(DataLoss) as damaged:
        values(tensor)
    assert damaged.value.reason == "TENSOR_DAMAGED"


def test_rows_are_as_deep_as_the_tensor() -> None:
    array = np.arange(24).reshape(2, 3, 4)
    assert rows(encode(array)) == array.tolist()
    assert rows(encode(np.zeros((2, 0), np.int32)))[:2] == []
