"""Tensors as TensorFlow Serving's REST API writes them, to and from its wire messages; no NumPy, no TensorFlow.

number, string, true, {"b64": "…"} (bytes), and lists of lists of these, all of one length at each depth
"""

import array
import base64
import math
import struct
import sys
from collections.abc import Sequence
from typing import Any

from modelyard.api.serving.v1 import tensor_pb2 as pb
from modelyard.foundation import b64
from modelyard.proxy.errors import AnswerTooLarge, BadAnswer, BadRequest

_CODES: dict[int, str] = {
    pb.DT_FLOAT: "f",
    pb.DT_DOUBLE: "d",
    pb.DT_INT8: "b",
    pb.DT_UINT8: "B",
    pb.DT_INT16: "h",
    pb.DT_UINT16: "H",
    pb.DT_INT32: "i",
    pb.DT_UINT32: "I",
    pb.DT_INT64: "q",
    pb.DT_UINT64: "Q",
    pb.DT_BOOL: "B",
    pb.DT_HALF: "H",
    pb.DT_BFLOAT16: "H",
}
_VALUES: dict[int, str] = {
    pb.DT_FLOAT: "float_val",
    pb.DT_DOUBLE: "double_val",
    pb.DT_INT8: "int_val",
    pb.DT_UINT8: "int_val",
    pb.DT_INT16: "int_val",
    pb.DT_UINT16: "int_val",
    pb.DT_INT32: "int_val",
    pb.DT_UINT32: "uint32_val",
    pb.DT_INT64: "int64_val",
    pb.DT_UINT64: "uint64_val",
    pb.DT_BOOL: "bool_val",
    pb.DT_HALF: "half_val",
    pb.DT_BFLOAT16: "half_val",
    pb.DT_STRING: "string_val",
}
_REALS: frozenset[int] = frozenset((pb.DT_FLOAT, pb.DT_DOUBLE, pb.DT_HALF, pb.DT_BFLOAT16))
_PACKED: dict[int, str] = {pb.DT_FLOAT: "f", pb.DT_HALF: "e"}
"""What `struct` packs: it refuses a number that does not fit, where `array` would make an infinity of it."""
MAX_ELEMENTS = 16_000_000
_BYTES_SUFFIX = "_bytes"


def is_bytes(value: object) -> bool:
    """Whether a JSON object is a value, `{"b64": …}`, rather than names with values."""
    return isinstance(value, dict) and value.keys() == {"b64"}


def to_tensor(value: object, dtype: int, field: str) -> pb.Tensor:
    """`field` is where the value stands in the request, for messages."""
    shape, flat = _flattened(value, field)
    tensor = pb.Tensor(dtype=dtype)  # type: ignore[arg-type]  # the number of an enum this file may not know
    tensor.tensor_shape.dim.extend(pb.TensorShape.Dim(size=size) for size in shape)
    if dtype == pb.DT_STRING:
        tensor.string_val.extend(_text(item, field) for item in flat)
    elif dtype in _CODES:
        tensor.tensor_content = _content(flat, dtype, field)
    else:
        raise BadRequest(f"{field} has a type that JSON has no form for ({_name(dtype)}); use gRPC", field=field)
    return tensor


def from_tensor(tensor: pb.Tensor, name: str) -> tuple[list[int], list[Any]]:
    """Shape, and the elements in row-major order as they stand in JSON."""
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    count = _count(shape, name)
    if tensor.dtype not in _VALUES:
        raise BadRequest(f"the output {name} has a type that JSON has no form for ({_name(tensor.dtype)}); use gRPC")
    if tensor.tensor_content:
        flat = _elements(tensor, name)
    else:
        flat = list(getattr(tensor, _VALUES[tensor.dtype]))
        if flat and len(flat) < count:
            flat += flat[-1:] * (count - len(flat))
    if len(flat) != count:
        raise BadAnswer(f"the model server's output {name} does not have as many elements as its shape says")
    return shape, _shown(flat, tensor.dtype, name)


def nested(shape: Sequence[int], flat: list[Any]) -> Any:
    """Lists of lists; a scalar is its only element."""
    if not shape:
        return flat[0]
    if not flat:
        return [nested(shape[1:], flat) for _ in range(shape[0])] if len(shape) > 1 else []
    for size in reversed(shape[1:]):
        flat = [flat[at : at + size] for at in range(0, len(flat), size)]
    return flat


def _count(shape: Sequence[int], name: str) -> int:
    """How many elements; a few bytes of a hostile answer must not become gigabytes of JSON."""
    count = lists = 1
    for size in shape:
        if size < 0:
            raise BadAnswer(f"the model server's output {name} has no shape")
        count *= size
        lists *= max(size, 1)
    if lists > MAX_ELEMENTS:
        raise AnswerTooLarge(f"the output {name} has more than {MAX_ELEMENTS} elements; use gRPC, or ask for less")
    return count


def _elements(tensor: pb.Tensor, name: str) -> list[Any]:
    if tensor.dtype not in _CODES:
        raise BadAnswer(f"the model server's output {name} cannot be read")
    try:
        numbers = array.array(_CODES[tensor.dtype], tensor.tensor_content)
    except ValueError:
        raise BadAnswer(f"the model server's output {name} ends within an element") from None
    if sys.byteorder == "big":
        numbers.byteswap()
    return list(numbers)


def _flattened(value: object, field: str) -> tuple[list[int], list[Any]]:
    shape: list[int] = []
    level: list[Any] = [value]
    while level and isinstance(level[0], list):
        size = len(level[0])
        if not all(isinstance(item, list) and len(item) == size for item in level):
            raise BadRequest(f"{field} is not a tensor: its lists at depth {len(shape)} differ in length", field=field)
        shape.append(size)
        level = [inner for item in level for inner in item]
    if any(isinstance(item, list) for item in level):
        raise BadRequest(f"{field} is not a tensor: it mixes lists and values", field=field)
    return shape, level


def _content(flat: list[Any], dtype: int, field: str) -> bytes:
    kinds = set(map(type, flat))
    allowed = {bool} if dtype == pb.DT_BOOL else {int, float} if dtype in _REALS else {int}
    if not kinds <= allowed:
        found = ", ".join(sorted(_json_name(kind) for kind in kinds - allowed))
        raise BadRequest(f"{field} must be {_name(dtype)}; found {found}", field=field)
    try:
        if dtype in _PACKED:
            return struct.pack(f"<{len(flat)}{_PACKED[dtype]}", *flat)
        if dtype == pb.DT_BFLOAT16:
            return b"".join(_bfloat16(number) for number in flat)
        numbers = array.array(_CODES[dtype], flat)
    except (OverflowError, struct.error):
        raise BadRequest(f"{field} has a number that does not fit {_name(dtype)}", field=field) from None
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def _text(item: object, field: str) -> bytes:
    if isinstance(item, str):
        return item.encode("utf-8", "surrogatepass")
    if isinstance(item, dict) and is_bytes(item) and isinstance(item["b64"], str):
        try:
            return b64.decode(item["b64"])
        except ValueError:
            raise BadRequest(f"{field} has a b64 value that is not base64", field=field) from None
    found = _json_name(type(item))
    raise BadRequest(f'{field} must be DT_STRING: text, or {{"b64": "…"}} for bytes; found {found}', field=field)


def _shown(flat: list[Any], dtype: int, name: str) -> list[Any]:
    if dtype == pb.DT_STRING:
        return [_bytes(item) if name.endswith(_BYTES_SUFFIX) else _text_or_bytes(item) for item in flat]
    if dtype == pb.DT_BOOL:
        return [bool(item) for item in flat]
    if dtype == pb.DT_FLOAT:
        # Nine digits bring back the same float; as a double, 0.1 would be 0.10000000149011612.
        return [float(f"{item:.9g}") for item in flat]
    if dtype == pb.DT_HALF:
        return list(struct.unpack(f"<{len(flat)}e", array.array("H", flat).tobytes()))
    if dtype == pb.DT_BFLOAT16:
        return [struct.unpack("<f", struct.pack("<I", item << 16))[0] for item in flat]
    return flat


def _bfloat16(number: float) -> bytes:
    bits: int = struct.unpack("<I", struct.pack("<f", number))[0]
    # Rounded to even, as TensorFlow does; what is not a number stays so.
    rounded = (bits if bits & 0x7FFFFFFF > 0x7F800000 else bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    if rounded & 0x7FFF == 0x7F80 and math.isfinite(number):
        raise OverflowError
    return struct.pack("<H", rounded)


def _text_or_bytes(item: bytes) -> object:
    try:
        return item.decode()
    except UnicodeDecodeError:
        return _bytes(item)


def _bytes(item: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(item).decode()}


def _name(dtype: int) -> str:
    return pb.DataType.Name(dtype) if dtype in pb.DataType.values() else f"type {dtype}"  # type: ignore[arg-type]


def _json_name(kind: type) -> str:
    return {bool: "true or false", str: "text", dict: "an object", type(None): "null", float: "a fraction"}.get(
        kind, "a whole number"
    )
