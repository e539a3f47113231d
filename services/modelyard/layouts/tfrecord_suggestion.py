"""What TFRecord files may hold, by their first records: what to begin a features.json with."""

from collections.abc import Sequence
from itertools import islice
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

_LOOKED_AT = 100
_EXACT = 1 << 24
"""Up to here float32 holds every whole number."""


def suggestion(paths: Sequence[str], files: Files) -> dict[str, Any]:
    """By key. Raises DataUnreadable."""
    from google.protobuf.message import DecodeError

    for path in paths:
        try:
            found = [parse_record(record) for _, record in islice(records(path, files[path], Problems()), _LOOKED_AT)]
        except DecodeError:
            raise DataUnreadable(path, "holds records that are no tf.train.Example", reason="NO_EXAMPLES") from None
        if found:
            keys = sorted({key for values in found for key in values})[:50]
            return {key: _suggested(key, [values.get(key, []) for values in found]) for key in keys}
    raise DataUnreadable(paths[0], "has no record that can be read", reason="EMPTY")


def _suggested(key: str, lists: Sequence[list[Any]]) -> dict[str, Any]:
    """`lists`: the values of each record."""
    values = [value for each in lists for value in each]
    first = values[0] if values else 0.0
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
    lengths = {len(each) for each in lists}
    single = lengths <= {0, 1}
    # Other records may lack a number, and only a float says so.
    whole = isinstance(first, int) and not (single and max(map(abs, values)) <= _EXACT)
    shape = {} if single else {"shape": [*lengths] if len(lengths) == 1 else [None]}
    return {"kind": "number", "dtype": "int64" if whole else "float32", **shape}
