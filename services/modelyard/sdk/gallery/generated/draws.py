"""Random numbers that stay the same: SplitMix64 by Steele, Lea & Flood, 2014."""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")
_MASK = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


class Draws:
    """One stream. What it is called with names it: each example draws from its own, so their order is of no matter."""

    def __init__(self, *key: object) -> None:
        self._state = int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:8], "big")

    def word(self) -> int:
        """64 random bits."""
        self._state = (self._state + _STEP) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * _FIRST) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * _SECOND) & _MASK
        return mixed ^ (mixed >> 31)

    def below(self, count: int) -> int:
        """From 0 to count - 1."""
        return (self.word() * count) >> 64

    def between(self, low: int, high: int) -> int:
        """From low to high, both included."""
        return low + self.below(high - low + 1)

    def pick(self, choices: Sequence[T]) -> T:
        """One of them."""
        return choices[self.below(len(choices))]

    def noise(self, count: int) -> "NDArray[np.int64]":
        """[count] sums of eight random bytes less their mean: bell-shaped, with standard deviation 209."""
        import numpy as np

        words = np.uint64(self.word()) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_STEP)
        words = (words ^ (words >> np.uint64(30))) * np.uint64(_FIRST)
        words = (words ^ (words >> np.uint64(27))) * np.uint64(_SECOND)
        words ^= words >> np.uint64(31)
        sums: NDArray[np.int64] = words.astype("<u8").view(np.uint8).reshape(count, 8).sum(axis=1, dtype=np.int64)
        return sums - 1020
