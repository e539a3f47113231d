"""How much each feature may keep in memory while it is counted, and of its values in the profile."""

from dataclasses import dataclass

VALUES, HASHES, NUMBERS = 1 << 16, 1 << 14, 1 << 16
FULL = 32
"""So many features have all of it; of more, each has its part of what they would have."""
_LEAST = 1 << 10
TOP, _LEAST_TOP = 100, 5


@dataclass(frozen=True, slots=True)
class Room:
    """Of one feature."""

    values: int = VALUES
    """Different values that are counted at the same time."""
    hashes: int = HASHES
    """By which different values are counted."""
    numbers: int = NUMBERS
    """Of which quantiles are taken."""
    top: int = TOP
    """So many of the most frequent values are kept; of a target's classes all, up to a thousand."""


def room_of(features: int) -> Room:
    """Of each of so many."""
    part = max(FULL, features) / FULL
    values, hashes, numbers = (max(_LEAST, int(size / part)) for size in (VALUES, HASHES, NUMBERS))
    return Room(values, hashes, numbers, max(_LEAST_TOP, int(TOP / part)))
