"""TensorBoard's event files, read as TensorBoard reads them: one behind the other, in the order of their names."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Point = tuple[str, int, float | str]
"""Tag, step, value: of pictures and texts its first string."""


def points(folder: Path) -> list[Point]:
    """All of one folder, in order."""
    return [point for path in sorted(folder.glob("*tfevents*")) for point in points_of(path)]


def points_of(path: Path) -> list[Point]:
    """All of one file; fails for one that is not whole."""
    return [
        (value.tag, event.step, _value(value.tensor))
        for event in _events(path.read_bytes())
        for value in event.summary.value
    ]


def _events(data: bytes) -> Iterator[Any]:
    from tensorflow.core.util import event_pb2

    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        assert at + 16 + length <= len(data), "a record that is cut off"
        yield event_pb2.Event.FromString(data[at + 12 : at + 12 + length])
        at += 16 + length


def _value(tensor: Any) -> float | str:
    if tensor.string_val:
        return bytes(tensor.string_val[0]).decode("latin-1")
    if tensor.tensor_content:
        return float(struct.unpack("<f", tensor.tensor_content)[0])
    return float(tensor.float_val[0])
