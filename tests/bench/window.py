"""Between which steps a script's time is taken."""

from typing import Any

WARM_S, SECONDS, STEPS = 1.0, 5.0, 8
"""What a window that is found comes behind, and takes and has at least."""


class Window:
    """One that is given, or the first one WARM_S after the first step that has no end of the first epoch in it: what
    judges is traced there."""

    def __init__(self, first: int, last: int, epoch: int) -> None:
        """Numbers of steps, 0 and 0 for those that are found; `epoch`: how many it has."""
        self.first, self.last, self._epoch = first, last, epoch
        self._finds = not last
        self._ends: list[float] = []

    def step(self, now: float) -> dict[str, Any] | None:
        """One is done; after the last what was found."""
        self._ends.append(now)
        done = len(self._ends)
        if self._finds:
            if done == self._epoch + 1 or (not self.first and now - self._ends[0] >= WARM_S):
                self.first = done
            elif self.first and done - self.first >= STEPS and now - self._ends[self.first - 1] >= SECONDS:
                self.last = done
        if done != self.last:
            return None
        rate = (self.last - self.first) / (now - self._ends[self.first - 1])
        return {"steps_per_s": rate, "window": [self.first, self.last]}
