"""What could not be read."""

from collections import Counter
from typing import Any

from modelyard.templates.profile.portions import Portion
from modelyard.templates.profile.texts import short

LISTED = 100
_LONGEST = 500


class Unreadable:
    """Counts examples by split and keeps the first ones' reasons."""

    def __init__(self) -> None:
        self.count = 0
        self.by_split: Counter[str] = Counter()
        self._first: list[dict[str, str]] = []
        self._portion: Portion | None = None
        self._bad: dict[int, dict[str, str]] = {}
        """The portion's examples that have been counted, and what is kept of them: all features take a portion, one
        after the other, before any takes the next one."""

    def add(self, portion: Portion, row: int, reason: str) -> None:
        """A feature of the portion's example `row`; `reason` goes on where a sentence begins with its path."""
        if portion is not self._portion:
            self._portion, self._bad = portion, {}
        if row not in self._bad:
            self._bad[row] = self._count(portion.split, portion.origin(row), reason)
        elif reason not in self._bad[row]["reason"]:
            self._bad[row]["reason"] = short(f"{self._bad[row]['reason']}; {reason}", _LONGEST)

    def add_file(self, origin: str, reason: str) -> None:
        """What is an example of no split, for it could not even be indexed."""
        self._count("", origin, reason)

    def add_more(self, count: int) -> None:
        """So many others, of which no more is known."""
        self.count += count

    def _count(self, split: str, origin: str, reason: str) -> dict[str, str]:
        self.count += 1
        self.by_split[split] += 1
        kept = {"origin": short(origin, _LONGEST), "reason": short(reason, _LONGEST)}
        if len(self._first) < LISTED:
            self._first.append(kept)
        return kept

    def found(self) -> dict[str, Any]:
        """As the statistics have it."""
        return {"exampleCount": self.count, "examples": self._first}
