"""`predict --input name=JSON`: values that are typed as tensors of the type that the model's signature says."""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelyard.layouts.strict_json import has_half_characters
from modelyard.sdk.errors import InvalidArgument
from modelyard.sdk.predicting.model import Way

_FORMATS = {
    "bool": "?",
    "float16": "e",
    "float32": "f",
    "float64": "d",
    "int8": "b",
    "int16": "h",
    "int32": "i",
    "int64": "q",
    "uint8": "B",
    "uint16": "H",
    "uint32": "I",
    "uint64": "Q",
}


@dataclass(frozen=True, slots=True)
class Array:
    """As much of a NumPy array as `sdk.tensors.encode` asks for."""

    dtype: str
    shape: tuple[int, ...]
    values: tuple[Any, ...]

    def tobytes(self) -> bytes:
        """Little-endian, row-major."""
        return struct.pack(f"<{len(self.values)}{_FORMATS[self.dtype]}", *self.values)


def read_inputs(said: Sequence[str]) -> dict[str, Any]:
    """`x=[[1, 2]]`, or `x=@file.json`: name -> value. Raises InvalidArgument."""
    inputs = {}
    for text in said:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InvalidArgument(f"{text!r} is not name=JSON", reason="INPUT_INVALID", field="--input")
        if name in inputs:
            raise InvalidArgument(f"input {name!r} is given twice", reason="INPUT_TWICE", field="--input")
        try:
            inputs[name] = json.loads(Path(value[1:]).read_text() if value.startswith("@") else value)
        except OSError as error:
            raise InvalidArgument(f"{value[1:]} can't be read: {error.strerror}", reason="FILE_UNREADABLE") from error
        except (ValueError, RecursionError) as error:
            why = error if isinstance(error, ValueError) else "it is nested too deep"
            raise InvalidArgument(f"input {name!r} is not JSON: {why}", reason="INPUT_INVALID") from error
    return inputs


def typed(inputs: Mapping[str, Any], signature: Way) -> dict[str, Any]:
    """What `sdk.tensors.encode` takes; raises InvalidArgument for a name or a value that the signature has not."""
    specs = signature.inputs
    for name in inputs:
        if name not in specs:
            there = ", ".join(f"{spec.name} ({spec.dtype})" for spec in specs.values())
            raise InvalidArgument(
                f"signature {signature.name} has no input {name!r}; it takes {there}", reason="INPUT_UNKNOWN"
            )
    if missing := sorted(set(specs) - set(inputs)):
        raise InvalidArgument(
            f"signature {signature.name} also takes {', '.join(missing)}; give --input {missing[0]}=JSON",
            reason="INPUT_MISSING",
        )
    return {name: _tensor(name, value, specs[name].dtype) for name, value in inputs.items()}


def _tensor(name: str, value: Any, dtype: str) -> Any:
    shape, values = _flat(name, value)
    if dtype == "string":
        if len(shape) != 1 or not values or not all(isinstance(each, str) for each in values):
            raise InvalidArgument(f"input {name!r} takes a list of texts", reason="INPUT_INVALID")
        if has_half_characters(value):
            raise InvalidArgument(f"input {name!r} has half a character in it", reason="INPUT_INVALID")
        return list(values)
    if dtype not in _FORMATS:
        raise InvalidArgument(f"input {name!r} is of type {dtype}, which can't be typed here", reason="INPUT_INVALID")
    for each in values:
        if not _packs(_FORMATS[dtype], each):
            raise InvalidArgument(f"input {name!r} takes {dtype}, not {json.dumps(each)}", reason="INPUT_INVALID")
    return Array(dtype, shape, values)


def _packs(code: str, value: Any) -> bool:
    if code == "?":
        return isinstance(value, bool)  # struct takes whatever is true
    try:
        struct.pack(f"<{code}", value)
    except (struct.error, OverflowError, TypeError):
        return False
    return True


def _flat(name: str, value: Any) -> tuple[tuple[int, ...], tuple[Any, ...]]:
    """Shape and values in row-major order of lists in lists."""
    if not isinstance(value, list):
        return (), (value,)
    parts = [_flat(name, each) for each in value]
    shapes = {shape for shape, _ in parts}
    if len(shapes) > 1:
        raise InvalidArgument(f"input {name!r} has rows of different lengths", reason="INPUT_INVALID")
    inner = shapes.pop() if shapes else ()
    return (len(value), *inner), tuple(each for _, values in parts for each in values)
