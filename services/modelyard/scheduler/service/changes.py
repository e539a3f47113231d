"""Who waits for news, and of what: no polling of the database."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

QUEUE = "queue"
"""The key of whatever moves jobs up in the queue."""


class Watch:
    """One waiter. It looks first and waits then: what changes in between is not missed."""

    def __init__(self, closed: asyncio.Event) -> None:
        self._event = asyncio.Event()
        self._closed = closed

    @property
    def closed(self) -> bool:
        """The process stops: answer now."""
        return self._closed.is_set()

    def wake(self) -> None:
        self._event.set()

    def look(self) -> None:
        """From here on a change counts as news."""
        self._event.clear()

    async def changed(self, timeout_s: float | None = None) -> bool:
        """True when there was news since `look`, False when the time was over first."""
        if self.closed:
            return False
        try:
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        except TimeoutError:
            return False
        return True


class Changes:
    def __init__(self) -> None:
        self._watches: dict[str, set[Watch]] = {}
        self._closed = asyncio.Event()

    @property
    def closed(self) -> bool:
        return self._closed.is_set()

    @contextmanager
    def watch(self, *keys: str) -> Iterator[Watch]:
        watch = Watch(self._closed)
        for key in keys:
            self._watches.setdefault(key, set()).add(watch)
        try:
            yield watch
        finally:
            for key in keys:
                watches = self._watches[key]
                watches.discard(watch)
                if not watches:
                    del self._watches[key]

    def publish(self, keys: Iterable[str]) -> None:
        for key in keys:
            for watch in self._watches.get(key, ()):
                watch.wake()

    def close(self) -> None:
        """The process stops: everybody who waits answers now."""
        self._closed.set()
        self.publish(list(self._watches))
