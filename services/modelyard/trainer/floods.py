"""Bounds on what a job says: a flood costs the job its words, and nobody else anything."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

LINES_PER_S, LINES_AT_ONCE = 1_000.0, 5_000.0
MAX_CHARACTERS = 256 << 20
"""Of all lines of one attempt."""
LAST_LINES = 40
"""Enough for a traceback."""
MESSAGES_PER_S, MESSAGES_AT_ONCE = 2_000.0, 4_000.0
_PAUSE_S = 0.02


@dataclass(slots=True)
class Bucket:
    """`rate` tokens a second, at most `size` of them; `now` as time.monotonic says."""

    rate: float
    size: float
    tokens: float = 0.0
    filled_at: float = 0.0

    def take(self, now: float) -> bool:
        """Whether there was a token."""
        self.tokens = min(self.size, self.tokens + (now - self.filled_at) * self.rate)
        self.filled_at = now
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True


class LineLimit:
    """Which of a job's lines are kept. Lines above the rate are dropped and counted, and one line says so; those above
    the total are dropped for good. The last ones of all are kept: they say why it ended."""

    def __init__(
        self, rate: float = LINES_PER_S, at_once: float = LINES_AT_ONCE, characters: int = MAX_CHARACTERS
    ) -> None:
        self._rate = rate
        self._bucket = Bucket(rate, at_once, at_once, time.monotonic())
        self._left = characters
        self._dropped = deque[str](maxlen=LAST_LINES)
        self._count = 0
        self._full = False

    def passed(self, line: str) -> list[str]:
        """What goes to the log in place of `line`."""
        if self._full:
            return []
        if not self._bucket.take(time.monotonic()):
            self._dropped.append(line)
            self._count += 1
            return []
        said = self._left_out(self._count)
        self._left -= len(line) + 1
        if self._left < 0:
            self._full = True
            return [*said, "… the log ends here: the job has printed more than a log may hold"]
        return [*said, line]

    def rest(self) -> list[str]:
        """What there is to say at the end."""
        last = list(self._dropped)
        return [*self._left_out(self._count - len(last)), *last]

    def _left_out(self, count: int) -> list[str]:
        self._dropped.clear()
        self._count = 0
        if not count:
            return []
        return [f"… {count} lines were left out: a job's log takes {self._rate:.0f} lines a second"]


class Pace:
    """How fast a job's messages are taken; one that sends faster waits at its socket."""

    def __init__(self, rate: float = MESSAGES_PER_S, at_once: float = MESSAGES_AT_ONCE) -> None:
        self._bucket = Bucket(rate, at_once, at_once, time.monotonic())
        self._rate = rate
        self._slowed = False

    async def keep(self, say: Callable[[str], None]) -> None:
        """Wait before the next message is taken; `say` is told when that happens for the first time."""
        while not self._bucket.take(time.monotonic()):
            if not self._slowed:
                self._slowed = True
                say(f"… the job is slowed down: it reports more than {self._rate:.0f} times a second")
            await asyncio.sleep(_PAUSE_S)  # meanwhile it waits at its socket
