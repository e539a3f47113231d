"""Whether a table's fields may stand between quotes, and then hold delimiters and line breaks."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from modelyard.layouts.text_files import MAX_LINE_BYTES

if TYPE_CHECKING:
    from _csv import Reader

_LOOKED_AT = 1000
"""Lines."""


def reader(stream: Iterable[str], delimiter: str, quoted: bool, *, strict: bool = False) -> "Reader":
    """Of lines; strict raises csv.Error where a quote is left open or a closed one does not end its field."""
    csv.field_size_limit(MAX_LINE_BYTES)
    if quoted:
        return csv.reader(stream, delimiter=delimiter, skipinitialspace=delimiter != "\t", strict=strict)
    return csv.reader(stream, delimiter=delimiter, quoting=csv.QUOTE_NONE)


def lines_of(sample: str) -> list[str]:
    """Ended by what ends the lines of a file too: `str.splitlines` knows more ends."""
    return list(io.StringIO(sample, newline=""))


def quotes(sample: str, delimiter: str, whole: bool) -> tuple[bool, int]:
    """Whether a field may stand between quotes, and a Shape's `doubt` about it.

    Commas and semicolons go with quotes. Of tabs and bars it is the way to read them that makes even rows; where both
    ways or none do, it is what the quotes look like.
    """
    if delimiter in (",", ";"):
        return True, 2
    if '"' not in sample:
        return False, 2
    lines = lines_of(sample)[: None if whole else -1]
    quoted, taken = _quoted_rows(lines, delimiter, whole)
    literal = [row for row in reader(lines[:taken], delimiter, quoted=False) if row]
    if _are_even(quoted) != _are_even(literal):
        return _are_even(quoted), 0
    return _look_quoted(sample, delimiter), 2 if quoted == literal else 1


def _quoted_rows(lines: Sequence[str], delimiter: str, whole: bool) -> tuple[list[list[str]], int]:
    """The rows that there are between quotes, and how many lines they take; none, which take all, where a quote is left
    open or a closed one does not end its field."""
    found = reader(lines, delimiter, quoted=True, strict=True)
    rows: list[list[str]] = []
    taken = 0
    try:
        for row in found:
            taken = found.line_num
            rows += [row] if row else []
    except csv.Error:
        # What the sample's end has cut may go on.
        return (rows, taken) if not whole and found.line_num == len(lines) else ([], len(lines))
    return rows, taken


def _are_even(rows: Sequence[Sequence[str]]) -> bool:
    return len(set(map(len, rows))) == 1


def _look_quoted(sample: str, delimiter: str) -> bool:
    """Whether there are fields that begin with a quote, and all of them end with one."""
    cells = [cell for line in sample.splitlines()[:_LOOKED_AT] for cell in line.split(delimiter)]
    opened = [cell for cell in cells if cell.startswith('"')]
    return bool(opened) and all(len(cell) > 1 and cell.endswith('"') for cell in opened)
