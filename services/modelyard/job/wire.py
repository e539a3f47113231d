"""Messages between worker and training process as lines of JSON. Nothing in here imports TensorFlow."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, get_args

from modelyard.job.messages import ChildMessage, FailureClass, WorkerMessage

MAX_LINE_BYTES = 256 << 10
_CHILD: Mapping[str, type[Any]] = {kind.kind: kind for kind in get_args(ChildMessage)}
_WORKER: Mapping[str, type[Any]] = {kind.kind: kind for kind in get_args(WorkerMessage)}


class ProtocolError(ValueError):
    """A line that is no message; the worker treats it as a broken child."""


def encode(message: ChildMessage | WorkerMessage) -> bytes:
    """One line, its line feed included. Numbers that are not finite are written as JSON's common NaN and Infinity."""
    return json.dumps({message.kind: asdict(message)}, separators=(",", ":")).encode() + b"\n"


def decode_child(line: bytes) -> ChildMessage:
    """A line from the child; raises ProtocolError. The child runs anybody's code: believe nothing but the form."""
    return _decode(line, _CHILD)  # type: ignore[return-value]


def decode_worker(line: bytes) -> WorkerMessage:
    """A line from the worker; raises ProtocolError."""
    return _decode(line, _WORKER)  # type: ignore[return-value]


def _decode(line: bytes, kinds: Mapping[str, type[Any]]) -> object:
    if len(line) > MAX_LINE_BYTES:
        raise ProtocolError(f"a line of {len(line)} bytes")
    try:
        ((name, values),) = json.loads(line).items()
        kind = kinds[name]
        wanted = {spec.name: spec.type for spec in fields(kind)}
        return kind(**{key: _CASTS[wanted[key]](value) for key, value in values.items()})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ProtocolError(f"not a message: {line[:120]!r}") from error


def _int(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 1 << 63:
        raise ValueError(f"{value!r} is not a count")
    return value


def _float(value: Any) -> float:
    if type(value) not in (int, float):
        raise ValueError(f"{value!r} is not a number")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not text")
    return value


_CASTS: Mapping[Any, Any] = {
    int: _int,
    float: _float,
    str: _text,
    FailureClass: FailureClass,
    tuple[str, ...]: lambda value: tuple(map(_text, value)),
    Mapping[str, float]: lambda value: {_text(name): _float(number) for name, number in value.items()},
}
