"""Tensor messages <-> NumPy arrays, by TensorFlow's rules and without TensorFlow.

An incoming tensor is checked before anything is allocated: a shape of a few bytes can ask for terabytes, because in the
`*_val` form the last value stands for all the elements that follow.
"""

import math
from typing import Any

import ml_dtypes
import numpy as np

from modelyard.api.serving.v1 import tensor_pb2 as pb
from modelyard.modelserver.errors import InvalidRequest
from modelyard.modelserver.servable import Array

MAX_TENSOR_BYTES = 256 << 20
MAX_FILLED = 4096
"""So many strings may be left for the last one to stand for: each is copied where the model gets it."""

NUMPY: dict[int, np.dtype[Any]] = {
    pb.DT_FLOAT: np.dtype(np.float32),
    pb.DT_DOUBLE: np.dtype(np.float64),
    pb.DT_INT32: np.dtype(np.int32),
    pb.DT_UINT8: np.dtype(np.uint8),
    pb.DT_INT16: np.dtype(np.int16),
    pb.DT_INT8: np.dtype(np.int8),
    pb.DT_STRING: np.dtype(object),
    pb.DT_COMPLEX64: np.dtype(np.complex64),
    pb.DT_INT64: np.dtype(np.int64),
    pb.DT_BOOL: np.dtype(np.bool_),
    pb.DT_BFLOAT16: np.dtype(ml_dtypes.bfloat16),
    pb.DT_UINT16: np.dtype(np.uint16),
    pb.DT_COMPLEX128: np.dtype(np.complex128),
    pb.DT_HALF: np.dtype(np.float16),
    pb.DT_UINT32: np.dtype(np.uint32),
    pb.DT_UINT64: np.dtype(np.uint64),
    pb.DT_FLOAT8_E5M2: np.dtype(ml_dtypes.float8_e5m2),
    pb.DT_FLOAT8_E4M3FN: np.dtype(ml_dtypes.float8_e4m3fn),
}
"""The dtypes that travel. Quantized and 4-bit types, resources and variants do not."""

DTYPE = {dtype: number for number, dtype in NUMPY.items()}

VALUES: dict[int, str] = {
    pb.DT_FLOAT: "float_val",
    pb.DT_DOUBLE: "double_val",
    pb.DT_INT32: "int_val",
    pb.DT_UINT8: "int_val",
    pb.DT_INT16: "int_val",
    pb.DT_INT8: "int_val",
    pb.DT_STRING: "string_val",
    pb.DT_COMPLEX64: "scomplex_val",
    pb.DT_INT64: "int64_val",
    pb.DT_BOOL: "bool_val",
    pb.DT_BFLOAT16: "half_val",
    pb.DT_UINT16: "int_val",
    pb.DT_COMPLEX128: "dcomplex_val",
    pb.DT_HALF: "half_val",
    pb.DT_UINT32: "uint32_val",
    pb.DT_UINT64: "uint64_val",
    pb.DT_FLOAT8_E5M2: "float8_val",
    pb.DT_FLOAT8_E4M3FN: "float8_val",
}
_BITS = frozenset({pb.DT_HALF, pb.DT_BFLOAT16})
_COMPLEX = frozenset({pb.DT_COMPLEX64, pb.DT_COMPLEX128})
_BYTES = frozenset({pb.DT_FLOAT8_E5M2, pb.DT_FLOAT8_E4M3FN})


def dtype_name(dtype: int) -> str:
    return pb.DataType.Name(dtype) if dtype in pb.DataType.values() else f"dtype {dtype}"  # type: ignore[arg-type]


def decode(key: str, tensor: pb.Tensor) -> Array:
    """Raises InvalidRequest."""
    dtype = NUMPY.get(tensor.dtype)
    if dtype is None:
        raise InvalidRequest(
            f'input "{key}": {dtype_name(tensor.dtype)} cannot be sent to a signature', field=f"inputs.{key}.dtype"
        )
    shape = _shape(key, tensor, dtype)
    if tensor.tensor_content:
        return _from_content(key, tensor.tensor_content, dtype, shape)
    return _from_values(key, tensor, dtype, shape)


def _shape(key: str, tensor: pb.Tensor, dtype: np.dtype[Any]) -> tuple[int, ...]:
    shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
    if tensor.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise InvalidRequest(
            f'input "{key}": a tensor in a request needs every dimension, shape is {list(shape)}',
            field=f"inputs.{key}.tensor_shape",
        )
    # NumPy multiplies the sizes even where one of them is 0.
    if math.prod(max(size, 1) for size in shape) * dtype.itemsize > MAX_TENSOR_BYTES or len(shape) > 64:
        raise InvalidRequest(
            f'input "{key}": shape {list(shape)} is more than the {MAX_TENSOR_BYTES >> 20} MiB that this server takes',
            field=f"inputs.{key}.tensor_shape",
        )
    return shape


def _from_content(key: str, content: bytes, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    expected = math.prod(shape) * dtype.itemsize
    if dtype.hasobject:
        raise InvalidRequest(
            f'input "{key}": strings travel in string_val, not in tensor_content', field=f"inputs.{key}.tensor_content"
        )
    if len(content) != expected:
        raise InvalidRequest(
            f'input "{key}": shape {list(shape)} needs {expected} bytes, tensor_content has {len(content)}',
            field=f"inputs.{key}.tensor_content",
        )
    if dtype == np.bool_:
        return (np.frombuffer(content, np.uint8) != 0).reshape(shape)
    return np.frombuffer(content, dtype).reshape(shape)


def _from_values(key: str, tensor: pb.Tensor, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    count = math.prod(shape)
    field = VALUES[tensor.dtype]
    values = _values(getattr(tensor, field), tensor.dtype, dtype)
    if len(values) > count:
        raise InvalidRequest(
            f'input "{key}": shape {list(shape)} has {count} elements, {field} has {len(values)}',
            field=f"inputs.{key}.{field}",
        )
    if dtype.hasobject and count - len(values) > MAX_FILLED:
        raise InvalidRequest(
            f'input "{key}": shape {list(shape)} has {count} elements, {field} has {len(values)}; send every string',
            field=f"inputs.{key}.{field}",
        )
    if len(values) < count:
        filler: Any = values[-1:] if len(values) else [b"" if dtype.hasobject else 0]
        whole = np.empty(count, dtype)
        whole[: len(values)] = values
        whole[len(values) :] = filler
        values = whole
    return values.reshape(shape)


def _values(values: Any, number: int, dtype: np.dtype[Any]) -> Array:
    if number in _BYTES:
        return np.frombuffer(values, dtype)
    if number in _BITS:
        return (np.array(values, np.int64) & 0xFFFF).astype(np.uint16).view(dtype)
    if number in _COMPLEX:
        parts = np.array(values[: len(values) // 2 * 2], dtype.type(0).real.dtype)
        return parts.view(dtype)
    if dtype.hasobject:
        strings = np.empty(len(values), object)
        strings[:] = list(values)
        return strings
    # Like TensorFlow, an int_val beyond a narrow dtype wraps around.
    return np.array(values, np.int64 if dtype.kind in "iu" and dtype.itemsize < 8 else dtype).astype(dtype)


def encode(array: Array) -> pb.Tensor:
    """In the `*_val` form, as TensorFlow Serving answers, so that a client without TensorFlow can read it."""
    number = DTYPE.get(array.dtype, pb.DT_STRING if array.dtype.kind in "SU" else pb.DT_INVALID)
    tensor = pb.Tensor(
        dtype=number,  # type: ignore[arg-type]
        tensor_shape=pb.TensorShape(dim=[pb.TensorShape.Dim(size=size) for size in array.shape]),
    )
    flat: Any = array.ravel()
    if number in _BYTES:
        tensor.float8_val = flat.tobytes()
        return tensor
    if number in _BITS:
        flat = flat.view(np.uint16)
    elif number in _COMPLEX:
        flat = flat.view(array.dtype.type(0).real.dtype)
    getattr(tensor, VALUES[number]).extend(flat.tolist())
    return tensor
