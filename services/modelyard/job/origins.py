"""Where the examples of a split come from: one line an example, found again without keeping them all in memory."""

from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

STRIDE = 1024
"""Lines that are read together; of so many one's place is remembered."""
_BLOCK_BYTES = 1 << 20


class Origins:
    """The lines of a file, by number; quick where the next one asked for is near the last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # One value, so that threads see stretch and lines of the same time.
        self._last: tuple[int, list[str]] = (-1, [])

    def __getitem__(self, number: int) -> str:
        """Without its end."""
        stretch, line = divmod(number, STRIDE)
        last, lines = self._last
        if stretch != last:
            lines = self._read(stretch)
            self._last = (stretch, lines)
        return lines[line]

    def _read(self, stretch: int) -> list[str]:
        start, *end = self._starts[stretch : stretch + 2].tolist()
        with self._path.open("rb") as file:
            file.seek(start)
            return file.read(end[0] - start if end else -1).decode().split("\n")

    @cached_property
    def _starts(self) -> NDArray[np.int64]:
        """Of each stretch."""
        found = [np.zeros(1, np.int64)]
        lines = before = 0
        with self._path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
                found.append(ends[STRIDE - 1 - lines % STRIDE :: STRIDE] + before + 1)
                lines += len(ends)
                before += len(block)
        return np.concatenate(found)
