"""What the demo says while it works, and how long each part took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Phases:
    """Numbered parts of the demo."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.seconds: dict[str, float] = {}

    @contextmanager
    def next(self, title: str) -> Iterator[None]:
        """One part; its time is kept even when it fails."""
        print(f"[{len(self.seconds) + 1}/{self._count}] {title}", flush=True)
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[title] = time.monotonic() - started


def say(line: str) -> None:
    """One line of what has happened."""
    print(f"      {line}", flush=True)
