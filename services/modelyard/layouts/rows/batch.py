"""Some rows of a table."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from modelyard.layouts.description import Table

BATCH_ROWS = 1024
BATCH_CHARACTERS = 16 << 20
"""About as many are in a batch at most, or one row."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How rows are written down, and what their columns are called."""

    table: Table
    header: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    """Columns of values that are not read, such as lists."""
    doubt: int = 2
    """CSV, whether its fields may stand between quotes. 0: only so are all rows equally wide; 1: it is what the quotes
    look like; 2: nothing speaks for or against it."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one file, in their order."""

    path: str
    numbers: Sequence[int]
    """The line that each begins in, or the number of its record, counted from 1."""
    rows: Sequence[Sequence[str]]
    """One value a column; "" where there is none."""


def in_batches(path: str, rows: Iterable[tuple[int, Sequence[str], int]]) -> Iterator[Batch]:
    """Rows by batches of BATCH_ROWS, or of BATCH_CHARACTERS where they are heavy.

    With each row come its number, before it, and about how many characters it has, behind it.
    """
    numbers: list[int] = []
    some: list[Sequence[str]] = []
    weight = 0
    for number, row, characters in rows:
        numbers.append(number)
        some.append(row)
        weight += characters
        if len(some) == BATCH_ROWS or weight >= BATCH_CHARACTERS:
            yield Batch(path, numbers, some)
            numbers, some, weight = [], [], 0
    if some:
        yield Batch(path, numbers, some)
