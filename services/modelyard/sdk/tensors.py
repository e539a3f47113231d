"""TensorFlow's tensors on the wire, without TensorFlow. Source: tensorflow/core/framework/tensor.proto, types.proto."""

import math
import struct
from collections.abc import Iterable, Sequence
from functools import cache
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
    "DT_HALF": ("H", "half_val"),
    "DT_BFLOAT16": ("H", "half_val"),
    "DT_FLOAT8_E5M2": ("B", "float8_val"),
    "DT_FLOAT8_E4M3FN": ("B", "float8_val"),
    "DT_COMPLEX64": ("f", "scomplex_val"),
    "DT_COMPLEX128": ("d", "dcomplex_val"),
}
"""How one number is packed, and where it is in a message; of the types that Python does not have, its bits or parts."""
_FLOAT8 = {"DT_FLOAT8_E5M2": (5, 2), "DT_FLOAT8_E4M3FN": (4, 3)}
"""Bits of exponent and mantissa."""
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
    "bfloat16": "DT_BFLOAT16",
    "float8_e5m2": "DT_FLOAT8_E5M2",
    "float8_e4m3fn": "DT_FLOAT8_E4M3FN",
    "complex64": "DT_COMPLEX64",
    "complex128": "DT_COMPLEX128",
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
    """All its values in row-major order: numbers, or bytes for DT_STRING. Reads both of TensorFlow's encodings; floats
    of 16 and 8 bits become Python's."""
    count = math.prod(shape(tensor))
    if tensor.dtype == tensor_pb2.DT_STRING:
        return _fill(list(tensor.string_val), count, b"")
    name = tensor_pb2.DataType.Name(tensor.dtype)
    if name not in _FORMATS:
        raise DataLoss(f"a tensor of type {name} can't be read here", reason="TENSOR_TYPE")
    code, field = _FORMATS[name]
    if tensor.tensor_content:
        parts = count * (2 if "COMPLEX" in name else 1)
        if len(tensor.tensor_content) != parts * struct.calcsize(code):
            raise DataLoss(
                f"a tensor of {count} values has {len(tensor.tensor_content)} bytes", reason="TENSOR_DAMAGED"
            )
        return _numbers(name, struct.unpack(f"<{parts}{code}", tensor.tensor_content))
    return _fill(_numbers(name, getattr(tensor, field)), count, False if name == "DT_BOOL" else 0)


def _numbers(name: str, packed: Sequence[Any]) -> list[Any]:
    """What a message's bits or parts stand for."""
    if name == "DT_HALF":
        return [struct.unpack("<e", struct.pack("<H", bits & 0xFFFF))[0] for bits in packed]
    if name == "DT_BFLOAT16":
        return [struct.unpack("<f", struct.pack("<I", (bits & 0xFFFF) << 16))[0] for bits in packed]
    if name in _FLOAT8:
        meant = _float8(name)
        return [meant[bits] for bits in packed]
    if "COMPLEX" in name:
        return [complex(real, imaginary) for real, imaginary in zip(packed[::2], packed[1::2], strict=False)]
    return list(packed)


@cache
def _float8(name: str) -> tuple[float, ...]:
    """What each byte stands for (Micikevicius and others, FP8 formats for deep learning, 2022)."""
    exponent_bits, mantissa_bits = _FLOAT8[name]
    bias, most = (1 << exponent_bits - 1) - 1, (1 << exponent_bits) - 1
    found = []
    for bits in range(256):
        exponent, mantissa = bits >> mantissa_bits & most, bits & (1 << mantissa_bits) - 1
        whole = mantissa + ((1 << mantissa_bits) if exponent else 0)
        value = math.ldexp(whole, max(exponent, 1) - bias - mantissa_bits)
        if name == "DT_FLOAT8_E5M2" and exponent == most:
            value = math.nan if mantissa else math.inf
        elif name == "DT_FLOAT8_E4M3FN" and bits & 0x7F == 0x7F:
            value = math.nan
        found.append(-value if bits & 0x80 else value)
    return tuple(found)


def narrowed(dtype: int, numbers: Iterable[float]) -> bytes:
    """tensor_content of DT_BFLOAT16 or a DT_FLOAT8: of numbers that were of this type before they became wider."""
    if dtype == tensor_pb2.DT_BFLOAT16:
        return b"".join(struct.pack("<f", number)[2:] for number in numbers)
    bits = {struct.pack("<f", value): byte for byte, value in enumerate(_float8(tensor_pb2.DataType.Name(dtype)))}  # type: ignore[arg-type]
    not_a_number = 0x7F
    return bytes(bits.get(struct.pack("<f", number), not_a_number) for number in numbers)


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
