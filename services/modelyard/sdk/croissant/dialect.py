"""How tables are written down, as far as Croissant has words for it."""

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from modelyard.api.catalog.v1 import dataset_pb2
from modelyard.layouts.description import Table
from modelyard.layouts.rows.quotes import lines_of
from modelyard.sdk.errors import FailedPrecondition
from modelyard.tree import Entry

HEAD_BYTES = 1 << 20
"""So much of a table is looked at; names of columns that reach further are read by no job."""
Head: TypeAlias = Callable[[Entry], bytes]
"""A file's first HEAD_BYTES; none of them where it can't be looked into."""
_GZIP = b"\x1f\x8b"


def media_type(table: Table | None) -> str:
    """What a table is called whose name does not say that tabs are between its fields."""
    return "text/tab-separated-values" if table and table.delimiter == "\t" else ""


def readable(
    entry: Entry, table: Table | None, features: Iterable[dataset_pb2.Feature], head: Head
) -> list[dataset_pb2.Feature]:
    """The features whose columns readers find in a file: not the rows' numbers, which pandas writes under no name.

    Raises FailedPrecondition for CSV that Croissant 1.0 has no words for: readers guess, and guess wrong.
    """
    features = list(features)
    if table is None or table.format != "csv":
        return features
    path, data = entry.path, head(entry)
    text = data.decode("utf-8-sig", "replace")
    ways = (
        (table.delimiter in (",", "\t"), f"has `{table.delimiter}` between its fields"),
        (table.header, "has no row that names its columns"),
        (table.encoding != "utf-16", "is UTF-16"),
        (not data.startswith(_GZIP), "is gzip"),
        (table.quoted or not _has_quotes(text, table.delimiter), "has quotes that are part of its texts"),
    )
    _refuse(path, next((way for usual, way in ways if not usual), ""))
    if not text:
        return features
    columns = _columns(text, table.delimiter)
    nameless = {f"column {at}" for at, name in enumerate(columns, 1) if not name.strip()}
    found = [each for each in features if each.role != dataset_pb2.Feature.ROLE_IGNORE or _column(each) not in nameless]
    lacking = next((name for name in map(_column, found) if name not in columns), "")
    if lacking:
        _refuse(
            path, f"has no name for its {lacking}" if lacking in nameless else f"has blanks around the name {lacking!r}"
        )
    return found


def _refuse(path: str, unsaid: str) -> None:
    if unsaid:
        raise FailedPrecondition(
            f"{path} {unsaid}, and Croissant cannot say so; push it as CSV in UTF-8 with commas and the columns' names "
            "in the first row, without blanks around them, and export that version",
            reason="CROISSANT_CANNOT_SAY",
            facts={"file": path},
        )


def _has_quotes(text: str, delimiter: str) -> bool:
    """Whether a field begins with one; to readers others are a part of the text too."""
    return re.search(rf'(?:^|[\r\n]|{re.escape(delimiter)})"', text) is not None


def _columns(text: str, delimiter: str) -> Sequence[str]:
    """What readers take for the names of the columns: blanks belong to them."""
    return next((row for row in csv.reader(lines_of(text), delimiter=delimiter) if row), [])


def _column(feature: dataset_pb2.Feature) -> str:
    return feature.column or feature.name
