"""What could not be read."""

from collections import Counter
from typing import Any

from modelyard.templates.profile.texts import short

LISTED = 100


class Unreadable:
    """Counts examples by split and keeps the first ones' reasons."""

    def __init__(self) -> None:
        self.count = 0
        self.by_split: Counter[str] = Counter()
        self._first: list[dict[str, str]] = []

    def add(self, split: str, origin: str, reason: str) -> None:
        """`reason` goes on where a sentence begins with the example's path; split "" = it is of none."""
        self.count += 1
        self.by_split[split] += 1
        if len(self._first) < LISTED:
            self._first.append({"origin": short(origin, 500), "reason": short(reason, 500)})

    def add_more(self, count: int) -> None:
        """So many others, of which no more is known."""
        self.count += count

    def found(self) -> dict[str, Any]:
        """As the statistics have it."""
        return {"exampleCount": self.count, "examples": self._first}
