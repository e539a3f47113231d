"""Some rows of a table."""

from collections.abc import Sequence
from dataclasses import dataclass

from modelyard.layouts.description import Table

BATCH_ROWS = 1024


@dataclass(frozen=True, slots=True)
class Shape:
    """How rows are written down, and what their columns are called."""

    table: Table
    header: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    """Columns of values that are not read, such as lists."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one file, in their order."""

    path: str
    numbers: Sequence[int]
    """The line that each begins in, or the number of its record, counted from 1."""
    rows: Sequence[Sequence[str]]
    """One value a column; "" where there is none."""
