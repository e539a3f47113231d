"""A split's examples in portions that fit into memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.job.columns import RANGE, Column
from modelyard.job.index import Examples

ROWS = 1 << 14
PORTION_BYTES = 4 << 20
"""Of stored bytes; one example may be larger."""


@dataclass(frozen=True)
class Portion:
    """Examples [start, stop) of one split."""

    examples: Examples
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    @cached_property
    def split(self) -> str:
        """Its name."""
        return self.examples.name

    def origin(self, row: int) -> str:
        """Of the portion's example `row`."""
        return self.examples.origin(self.start + row)

    def only(self, row: int) -> "Portion":
        """One of its examples."""
        return Portion(self.examples, self.start + row, self.start + row + 1)

    def values(self, feature: str) -> NDArray[Any]:
        """[n, …]: numbers, labels and raw images as they are; everything else as bytes objects."""
        column = self.examples.column(feature)
        if column.array is not None:
            return column.array[self.start : self.stop]
        return column.between(self.start, self.stop)

    def piece(self, feature: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Texts, one behind the other, and where each begins, with the end as the last: no object for each."""
        column = self.examples.column(feature)
        found = column.piece(self.start, self.stop)
        if found is None:
            texts = column.between(self.start, self.stop).tolist()
            places = np.zeros(len(texts) + 1, np.int64)
            np.cumsum([len(text) for text in texts], out=places[1:])
            found = np.frombuffer(b"".join(texts), np.uint8), places
        return found


def portions(examples: Examples) -> Iterator[Portion]:
    """All of them, in order; what a portion has read is let go of when the next one is asked for."""
    columns = [examples.column(name) for name in examples.features]
    start = 0
    while start < len(examples):
        most = min(start + ROWS, len(examples))
        ends = np.cumsum(sum((_sizes(column, start, most) for column in columns), np.zeros(most - start, np.int64)))
        stop = start + max(1, int(np.searchsorted(ends, PORTION_BYTES, "right")))
        yield Portion(examples, start, stop)
        examples.forget()
        start = stop


def _sizes(column: Column, start: int, stop: int) -> NDArray[np.int64]:
    if column.values.dtype == RANGE:
        return column.sizes[start:stop]
    return np.full(stop - start, max(1, column.values[:1].nbytes), np.int64)
