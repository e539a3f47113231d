"""A split's examples in portions that fit into memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.job.columns import RANGE
from modelyard.job.index import Examples

ROWS = 4096
PORTION_BYTES = 16 << 20
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


def portions(examples: Examples) -> Iterator[Portion]:
    """All of them, in order."""
    sizes = np.zeros(len(examples), np.int64)
    for name in examples.features:
        column = examples.column(name)
        sizes += column.sizes if column.values.dtype == RANGE else max(1, column.values[:1].nbytes)
    ends = np.cumsum(sizes)
    start = 0
    while start < len(examples):
        before = int(ends[start - 1]) if start else 0
        stop = int(np.searchsorted(ends, before + PORTION_BYTES, "right"))
        stop = min(max(stop, start + 1), start + ROWS, len(examples))
        yield Portion(examples, start, stop)
        start = stop
