"""Two texts brought together: which symbols are wrong, lacking or too many.

Levenshtein's distance, by the rows of Wagner and Fischer's table (Journal of the ACM 21, 1974).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MOST_CELLS = 16_000_000
"""Of the table: two texts of 4,000 symbols."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One place of an alignment; both are the same where nothing is wrong."""

    true: str
    """"" for what is too much."""
    said: str
    """"" for what is lacking."""

    @property
    def is_right(self) -> bool:
        return self.true == self.said


def fits(true: Sequence[str], said: Sequence[str]) -> bool:
    """Whether the two are short enough to be aligned."""
    return (len(true) + 1) * (len(said) + 1) <= MOST_CELLS


def align(true: Sequence[str], said: Sequence[str]) -> list[Edit]:
    """As few edits as possible, in the order of the texts; characters, or words."""
    table = _table(true, said)
    row, column = len(true), len(said)
    found: list[Edit] = []
    while row or column:
        here = table[row, column]
        if row and column and here == table[row - 1, column - 1] + (true[row - 1] != said[column - 1]):
            row, column = row - 1, column - 1
            found.append(Edit(true[row], said[column]))
        elif row and here == table[row - 1, column] + 1:
            row -= 1
            found.append(Edit(true[row], ""))
        else:
            column -= 1
            found.append(Edit("", said[column]))
    return found[::-1]


def distance(true: Sequence[str], said: Sequence[str]) -> int:
    """How many edits."""
    return int(_table(true, said)[-1, -1])


def _table(true: Sequence[str], said: Sequence[str]) -> NDArray[np.int32]:
    """[true + 1, said + 1]: the distance between the two beginnings."""
    numbers: dict[str, int] = {}
    symbols = np.array([numbers.setdefault(symbol, len(numbers)) for symbol in said], np.int32)
    steps = np.arange(len(said) + 1, dtype=np.int32)
    table = np.empty((len(true) + 1, len(said) + 1), np.int32)
    table[0] = steps
    for row, symbol in enumerate(true, 1):
        above = table[row - 1]
        best = np.empty_like(steps)
        best[0] = row
        np.minimum(above[1:] + 1, above[:-1] + (symbols != numbers.get(symbol, -1)), out=best[1:])
        # What is too much costs one each: the least of all places before, and the way from there.
        table[row] = np.minimum.accumulate(best - steps) + steps
    return table
