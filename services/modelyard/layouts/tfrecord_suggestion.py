"""What TFRecord files may hold, by their first record: what to begin a features.json with."""

from collections.abc import Sequence
from typing import Any

from modelyard.layouts import media
from modelyard.layouts.chunks import Problems
from modelyard.layouts.description import MEDIA
from modelyard.layouts.errors import DataUnreadable
from modelyard.layouts.example_values import RecordBytes, parse_record
from modelyard.layouts.files import Files
from modelyard.layouts.heads import UnusableError
from modelyard.layouts.records import records
from modelyard.layouts.table_plan import TARGETS

_EXACT = 1 << 24
"""Up to here float32 holds every whole number."""


def suggestion(paths: Sequence[str], files: Files) -> dict[str, Any]:
    """By key. Raises DataUnreadable."""
    from google.protobuf.message import DecodeError

    for path in paths:
        for _, record in records(path, files[path], Problems()):
            try:
                values = parse_record(record)
            except DecodeError:
                raise DataUnreadable(path, "holds records that are no tf.train.Example", reason="NO_EXAMPLES") from None
            return {key: _suggested(key, values[key]) for key in sorted(values)[:50]}
    raise DataUnreadable(paths[0], "has no record that can be read", reason="EMPTY")


def _suggested(key: str, found: list[Any]) -> dict[str, Any]:
    first = found[0] if found else 0.0
    if isinstance(first, bytes):
        for kind in MEDIA:
            try:
                media.look(kind, RecordBytes(first))
            except UnusableError:
                continue
            return {"kind": kind}
        return {"kind": "category", "role": "target"} if key in TARGETS else {"kind": "text"}
    if isinstance(first, int) and key in TARGETS:
        return {"kind": "category", "role": "target"}
    if len(found) == 1 and abs(first) <= _EXACT:
        # Other records may lack it, and only a float says so.
        return {"kind": "number", "dtype": "float32"}
    shape = {"shape": [len(found)]} if len(found) != 1 else {}
    return {"kind": "number", "dtype": "int64" if isinstance(first, int) else "float32", **shape}
