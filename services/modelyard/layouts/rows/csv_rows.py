"""Rows of CSV files: separated by commas, semicolons, tabs or bars, with or without a header.

Source: RFC 4180; what it leaves open is decided by what the file's beginning looks like.
"""

import csv
import re
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TextIO

from modelyard.layouts.chunks import Problems
from modelyard.layouts.description import Table
from modelyard.layouts.errors import DataUnreadable, FileBroken
from modelyard.layouts.files import File
from modelyard.layouts.names import suffix
from modelyard.layouts.rows.batch import Batch, Shape, in_batches
from modelyard.layouts.rows.quotes import lines_of, quotes, reader
from modelyard.layouts.text_files import MAX_LINE_BYTES, encoding_of, open_text

DELIMITERS = (",", ";", "\t", "|")
NAMED = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar (|)"}
_SAMPLE_CHARACTERS = 1 << 18
_SAMPLE_ROWS = 1000
_MAX_COLUMNS = 4096
_MOST = 0.9
_MAX_ROW_LINES = 1000
_NUMBER = re.compile(r"[-+]?[\d.,]+")
_NO_HEADER = re.compile(r"[-+]?[\d.,]+([eE][-+]?\d+)?%?|.+\s.*[.!?]", re.DOTALL)
"""A number, or a sentence."""
_MAX_HEADER = 64
_ROWS_THAT_COUNT = 3


def read_shape(path: str, file: File, header: bool | None) -> Shape:
    """Delimiter, quotes, encoding and header, out of the file's beginning. Raises DataUnreadable."""
    sample, whole = _sample(path, file)
    delimiter = _delimiter(path, sample, whole)
    quoted, doubt = quotes(sample, delimiter, whole)
    rows = _sample_rows(sample, delimiter, quoted, whole)
    if header is None:
        header = _has_header(rows)
    table = Table("csv", delimiter, _plain(encoding_of(path, file)), header, quoted)
    return Shape(table, _names(path, rows[0], header), doubt=doubt)


def shape_as(path: str, file: File, table: Table) -> Shape:
    """The file's own columns, where it is known how its rows are written down. Raises DataUnreadable."""
    sample, whole = _sample(path, file)
    rows = _sample_rows(sample, table.delimiter, table.quoted, whole)
    return Shape(table, _names(path, rows[0], table.header))


def _sample(path: str, file: File) -> tuple[str, bool]:
    """The file's beginning, and whether that is all of it. Raises FileBroken where there are no rows in it."""
    with open_text(path, file) as stream:
        sample = stream.read(_SAMPLE_CHARACTERS)
    if not sample.strip():
        raise FileBroken(path, "is empty" if not sample else "has blank lines only", reason="EMPTY")
    whole = len(sample) < _SAMPLE_CHARACTERS
    if not whole and "\n" not in sample and "\r" not in sample:
        raise FileBroken(path, f"has no line break in its first {len(sample):,} characters; it is no table")
    return sample, whole


def _names(path: str, first: Sequence[str], header: bool) -> tuple[str, ...]:
    """What the columns are called. Raises DataUnreadable."""
    names = [name.strip() if header else "" for name in first]
    names = [name or f"column {at}" for at, name in enumerate(names, 1)]
    if len(names) > _MAX_COLUMNS:
        raise DataUnreadable(path, f"has {len(names):,} columns; at most {_MAX_COLUMNS:,} are read")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataUnreadable(path, f"has two columns {twice[0]!r}; give every column a name of its own")
    return tuple(names)


def _plain(encoding: str) -> str:
    return encoding.removesuffix("-sig")


def _sample_rows(sample: str, delimiter: str, quoted: bool, whole: bool) -> list[list[str]]:
    """The sample's rows; the last one is left out where it may have been cut."""
    rows: list[list[str]] = []
    try:
        rows.extend(row for row in reader(lines_of(sample), delimiter, quoted) if row)
    except csv.Error:
        return rows
    return rows if whole or len(rows) == 1 else rows[:-1]


def _delimiter(path: str, sample: str, whole: bool) -> str:
    """The one by which most rows have the same number of fields, at least two; a comma where none does.

    Of several, it is the one by which the first row has that number too, more rows, more fields; then the rarer one.
    A file that is called .tsv is separated by tabs if it can be.
    """
    usual = "\t" if suffix(path) in (".tsv", ".tab") else ","
    best, best_score = usual, (False, 0.0, 0)
    for delimiter in (usual, "\t", "|", ";", ","):
        quoted, _ = quotes(sample, delimiter, whole)
        rows = _sample_rows(sample, delimiter, quoted, whole)[:_SAMPLE_ROWS]
        widths = Counter(map(len, rows))
        width, count = widths.most_common(1)[0] if widths else (0, 0)
        if width < 2 or count * 2 <= len(rows):
            continue
        score = (len(rows[0]) == width, round(count / len(rows), 1), width)
        if delimiter == usual == "\t" and score[0] and score[1] >= _MOST:
            return delimiter
        if score > best_score or (score == best_score and best == ","):
            best, best_score = delimiter, score
    return best


def _has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row reads like names: short, different, no numbers, and not to be found among the values.

    Numbers are names only where they count the columns, as pandas calls those that have none: `,0,1,2,label`.
    """
    first, rest = [cell.strip() for cell in rows[0]], rows[1:_SAMPLE_ROWS]
    if any(len(cell) > _MAX_HEADER for cell in first):
        return False
    if len(set(first)) < len(first):
        return any(_NUMBER.fullmatch(cell.strip()) for row in rest[:1] for cell in row)
    numbers = {at: cell for at, cell in enumerate(first) if cell and _NO_HEADER.fullmatch(cell)}
    if numbers and not _count_columns(numbers, rest):
        return False
    again = {
        at for at, cell in enumerate(first) if cell and any(at < len(row) and row[at].strip() == cell for row in rest)
    }
    if numbers and len(numbers) == sum(map(bool, first)):
        return again != numbers.keys()
    # A column called 0 may hold zeros.
    return again <= numbers.keys()


def _count_columns(numbers: Mapping[int, str], rest: Sequence[Sequence[str]]) -> bool:
    """Whether these cells are 0, 1, 2, … or 1, 2, 3, …, two at least, and in no column the next rows count on."""
    cells = list(numbers.values())
    if len(cells) < 2 or not any(cells == [str(start + at) for at in range(len(cells))] for start in (0, 1)):
        return False
    some = rest[:_ROWS_THAT_COUNT]
    return not any(
        all(at < len(row) and row[at].strip() == str(int(cell) + further) for further, row in enumerate(some, 1))
        for at, cell in numbers.items()
    )


def read_rows(path: str, file: File, shape: Shape, problems: Problems) -> Iterator[Batch]:
    """Raises FileBroken for another encoding."""
    with open_text(path, file) as stream:
        found = _rows(path, stream, shape, problems)
        if shape.table.header:
            next(found, None)
        yield from in_batches(path, found)


class _OpenQuoteError(Exception):
    """A row goes on for so many lines that a quote must have been left open."""


class _LongLineError(Exception):
    """A line is too long for memory."""


_LONG = ""
"""Stands for such a line; no other is empty."""
_ENDS = ("\n", "\r")


class _Lines:
    """The file's lines; those that a row took can be given back."""

    def __init__(self, stream: TextIO) -> None:
        self._read = partial(stream.readline, MAX_LINE_BYTES)
        self._lines = iter(self._read, "")
        self._again: deque[str] = deque()
        self._taken: list[str] = []
        self.characters = 0
        """Of what the row took so far."""
        self.first = 1
        """The number of the line that the next row begins in."""

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        taken = self._taken
        if len(taken) > _MAX_ROW_LINES:
            raise _OpenQuoteError
        line = self._again.popleft() if self._again else next(self._lines)
        size = len(line)
        if size >= MAX_LINE_BYTES and not line.endswith(_ENDS):
            self._pass_over()
            line = _LONG
        taken.append(line)
        if not line:
            raise _LongLineError
        self.characters += size
        return line

    def _pass_over(self) -> None:
        """The rest of a line."""
        while (more := self._read()) and not more.endswith(_ENDS):
            pass

    @property
    def taken(self) -> int:
        """How many lines the row took so far."""
        return len(self._taken)

    def keep(self, lines: int) -> None:
        """The row is done; what it took behind its first `lines` is for the next rows."""
        self._again.extendleft(reversed(self._taken[lines:]))
        self._taken.clear()
        self.characters = 0
        self.first += lines


def _rows(path: str, stream: TextIO, shape: Shape, problems: Problems) -> Iterator[tuple[int, list[str], int]]:
    """Each row with the line that it begins in, and how many characters its lines have.

    Where a quote is left open, its line is a problem and no other.
    """
    lines, width = _Lines(stream), len(shape.header)
    found = reader(lines, shape.table.delimiter, shape.table.quoted)
    while True:
        problem = ""
        try:
            row = next(found)
        except StopIteration:
            return
        except _OpenQuoteError:
            row, problem = [], f"leaves a quote open: it would go on for more than {_MAX_ROW_LINES:,} lines"
        except _LongLineError:
            row, problem = [], _too_long(lines.taken - 1)
        except csv.Error as error:
            row, problem = [], f"is no row of CSV: {error}"
        first = lines.first
        if row and len(row) != width:
            problem = _wrong_width(len(row), width, first, first + lines.taken - 1)
        characters = lines.characters
        lines.keep(1 if problem else lines.taken)
        if problem:
            problems.add(path, first, problem)
        elif row:
            yield first, row, characters


def _too_long(before: int) -> str:
    """Of a row that has so many lines before the one that is too long."""
    said = f"is longer than {MAX_LINE_BYTES >> 20} MiB"
    return f"goes on to a line that {said}: is a quote left open?" if before else said


def _wrong_width(found: int, wanted: int, first: int, last: int) -> str:
    said = f"has {found} field{'s' if found != 1 else ''}; there are {wanted} columns"
    if last > first:
        return f"{said}. It goes on to line {last}: is a quote left open?"
    return said
