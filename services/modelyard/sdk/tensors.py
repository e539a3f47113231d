"""TensorFlow's tensors on the wire, without TensorFlow. Source: tensorflow/core/framework/tensor.proto, types.proto."""

import math
import struct
from collections.abc import Sequence
from typing import Any

from modelyard.api.serving.v1 import tensor_pb2
from modelyard.sdk.errors import DataLoss, InvalidArgument

_FORMATS = {
    "DT_FLOAT": ("f", "float_val"),
    "DT_DOUBLE": ("d", "double_val"),
    "DT_INT32": ("i", "int_val"),
    "DT_UINT8": ("B", "int_val"),
    "DT_INT16": ("h", "int_val"),
    "DT_INT8": ("b", "int_val"),
    "DT_UINT16": ("H", "int_val"),
    "DT_INT64": ("q", "int64_val"),
    "DT_UINT32": ("I", "uint32_val"),
    "DT_UINT64": ("Q", "uint64_val"),
    "DT_BOOL": ("?", "bool_val"),
    "DT_HALF": ("e", ""),
}
_NUMPY_NAMES = {
    "float32": "DT_FLOAT",
    "float64": "DT_DOUBLE",
    "float16": "DT_HALF",
    "int8": "DT_INT8",
    "int16": "DT_INT16",
    "int32": "DT_INT32",
    "int64": "DT_INT64",
    "uint8": "DT_UINT8",
    "uint16": "DT_UINT16",
    "uint32": "DT_UINT32",
    "uint64": "DT_UINT64",
    "bool": "DT_BOOL",
}


def encode(value: Any) -> tensor_pb2.Tensor:
    """A tensor from a NumPy array (anything with dtype, shape and tobytes), or from bytes or text, one or a list."""
    if hasattr(value, "tobytes") and hasattr(value, "dtype"):
        return _encode_array(value)
    if isinstance(value, bytes | str):
        tensor = encode([value])
        tensor.tensor_shape.ClearField("dim")
        return tensor
    if isinstance(value, Sequence) and value and all(isinstance(item, bytes | str) for item in value):
        tensor = tensor_pb2.Tensor(dtype=tensor_pb2.DT_STRING)
        tensor.tensor_shape.dim.add(size=len(value))
        tensor.string_val.extend(item.encode() if isinstance(item, str) else item for item in value)
        return tensor
    raise InvalidArgument(
        "an input is a NumPy array, bytes, text, or a list of bytes or text; wrap numbers in numpy.array",
        reason="INPUT_NOT_A_TENSOR",
    )


def _encode_array(array: Any) -> tensor_pb2.Tensor:
    name = _NUMPY_NAMES.get(str(array.dtype))
    if name is None:
        raise InvalidArgument(f"NumPy's {array.dtype} has no TensorFlow type here", reason="INPUT_NOT_A_TENSOR")
    tensor = tensor_pb2.Tensor(dtype=tensor_pb2.DataType.Value(name), tensor_content=array.tobytes())
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    return tensor


def shape(tensor: tensor_pb2.Tensor) -> tuple[int, ...]:
    """The sizes of its dimensions."""
    return tuple(dim.size for dim in tensor.tensor_shape.dim)


def values(tensor: tensor_pb2.Tensor) -> list[Any]:
    """All its values in row-major order: numbers, or bytes for DT_STRING. Reads both of TensorFlow's encodings."""
    count = math.prod(shape(tensor))
    if tensor.dtype == tensor_pb2.DT_STRING:
        return _fill(list(tensor.string_val), count, b"")
    name = tensor_pb2.DataType.Name(tensor.dtype)
    if name not in _FORMATS:
        raise DataLoss(f"a tensor of type {name} can't be read here", reason="TENSOR_TYPE")
    code, field = _FORMATS[name]
    if tensor.tensor_content:
        size = struct.calcsize(code)
        if len(tensor.tensor_content) != count * size:
            raise DataLoss(
                f"a tensor of {count} values has {len(tensor.tensor_content)} bytes", reason="TENSOR_DAMAGED"
            )
        return list(struct.unpack(f"<{count}{code}", tensor.tensor_content))
    if name == "DT_HALF":
        halves = [struct.unpack("<e", struct.pack("<H", bits))[0] for bits in tensor.half_val]
        return _fill(halves, count, 0.0)
    return _fill(list(getattr(tensor, field)), count, False if name == "DT_BOOL" else 0)


def _fill(items: list[Any], count: int, default: Any) -> list[Any]:
    """TensorFlow leaves trailing repetitions of the last value out; no value at all means zeros."""
    if len(items) > count:
        raise DataLoss(f"a tensor of {count} values has {len(items)}", reason="TENSOR_DAMAGED")
    return items + [items[-1] if items else default] * (count - len(items))


def rows(tensor: tensor_pb2.Tensor) -> Any:
    """Its values as lists in lists, as many deep as it has dimensions; a scalar is the value itself."""
    result = values(tensor)
    for size in reversed(shape(tensor)[1:]):
        step = max(size, 1)
        result = [result[at : at + step] for at in range(0, len(result), step)]
    return result if shape(tensor) else result[0]
