"""What readers give: examples in portions, column by column."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from modelyard.layouts.errors import Problem
from modelyard.layouts.files import Range

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ROWS = 4096
"""As many examples are in a chunk at most."""
CHUNK_BYTES = 16 << 20
"""About as many bytes are in a chunk at most, or one example."""
MISSING_TIME = -(1 << 63)

Column: TypeAlias = "NDArray[np.generic] | Sequence[bytes] | Sequence[Range] | Sequence[NDArray[np.generic]]"
"""Numbers and labels: an array [rows, *shape]. Encoded files and texts: their bytes, or where these lie in the tree.
Boxes and their labels: one array a row."""


Report: TypeAlias = Callable[[str, int, str], None]
"""Is told of an example that can't be used: path, row (0 means the whole file), reason."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some examples of one split, in their order."""

    split: str
    origins: Sequence[str]
    """`path`, or `path:line`; what a message names."""
    columns: Mapping[str, Column]
    """By the feature's name."""

    def __len__(self) -> int:
        return len(self.origins)


class Problems:
    """Collects what can't be used: all are counted, the first ones kept, and each told to `report`."""

    def __init__(self, keep: int = 1000, report: Report | None = None) -> None:
        self._keep = keep
        self._report = report
        self.kept: list[Problem] = []
        self.count = 0

    def add(self, path: str, row: int, reason: str) -> None:
        """Row 0 means the whole file."""
        self.count += 1
        if len(self.kept) < self._keep:
            self.kept.append(Problem(path, row, reason))
        if self._report is not None:
            self._report(path, row, reason)

    def take(self) -> list[Problem]:
        """Those that are kept, which makes room for others."""
        taken, self.kept = self.kept, []
        return taken


def in_portions(
    examples: Iterable[tuple[str, Any]], weigh: Callable[[Any], int] = lambda row: 0
) -> Iterator[tuple[str, list[Any]]]:
    """(split, row) pairs as (split, rows), each split's rows in their order: ROWS, or CHUNK_BYTES by `weigh`."""
    waiting: dict[str, list[Any]] = {}
    weights: dict[str, int] = {}
    for split, row in examples:
        rows = waiting.setdefault(split, [])
        rows.append(row)
        weights[split] = weights.get(split, 0) + weigh(row)
        if len(rows) == ROWS or weights[split] >= CHUNK_BYTES:
            yield split, rows
            waiting[split], weights[split] = [], 0
    yield from ((split, rows) for split, rows in waiting.items() if rows)
