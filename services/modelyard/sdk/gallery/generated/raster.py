"""Fills outlines, with soft edges."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FINE = 4
"""Samples a pixel, in each direction."""
UNIT = 64 * FINE
"""Of outlines: so many are a pixel."""


def filled(outlines: "Sequence[NDArray[np.int64]]", height: int, width: int) -> "NDArray[np.uint8]":
    """How much of each pixel lies inside of outlines [points, 2] in UNITs to the right and down, of 255.

    Inside is where they wind around other than zero times.
    """
    import numpy as np

    starts = np.concatenate(outlines)
    ends = np.concatenate([np.roll(outline, -1, axis=0) for outline in outlines])
    step = UNIT // FINE
    rows = np.arange(height * FINE, dtype=np.int64) * step + step // 2
    down = (starts[:, None, 1] <= rows) & (rows < ends[:, None, 1])
    up = (ends[:, None, 1] <= rows) & (rows < starts[:, None, 1])
    edges, lines = np.nonzero(down | up)
    x0, y0, x1, y1 = starts[edges, 0], starts[edges, 1], ends[edges, 0], ends[edges, 1]
    at = x0 + (rows[lines] - y0) * (x1 - x0) // (y1 - y0)
    columns = ((at + step // 2) // step).clip(0, width * FINE)
    turns = np.zeros((height * FINE, width * FINE + 1), np.int64)
    np.add.at(turns, (lines, columns), np.where(down[edges, lines], 1, -1))
    inside = turns.cumsum(axis=1)[:, :-1] != 0
    share: NDArray[np.int64] = inside.reshape(height, FINE, width, FINE).sum(axis=(1, 3), dtype=np.int64)
    return (share * 255 // (FINE * FINE)).astype(np.uint8)
