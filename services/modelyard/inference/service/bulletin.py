"""The newest state, in memory, for those who wait for news."""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from modelyard.inference.domain.deployments import Deployment
from modelyard.inference.domain.hosts import Assignment, Host, HostState
from modelyard.inference.domain.routes import Route


@dataclass(frozen=True, slots=True)
class Snapshot:
    deployments: Mapping[str, Deployment] = field(default_factory=dict)
    hosts: Mapping[str, Host] = field(default_factory=dict)
    host_states: Mapping[str, HostState] = field(default_factory=dict)
    assignments: Mapping[str, tuple[Assignment, ...]] = field(default_factory=dict)
    """By host."""
    routes: tuple[Route, ...] = ()
    revision: int = 0


class Bulletin:
    def __init__(self) -> None:
        self.newest = Snapshot()
        self.closed = False
        self.news = asyncio.Event()
        """Set once `newest` is no longer what it was when this event was taken."""

    def post(self, snapshot: Snapshot) -> None:
        if snapshot != self.newest:
            self.newest = snapshot
            self._wake()

    def close(self) -> None:
        """Nobody shall wait any more: the process is stopping."""
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        before, self.news = self.news, asyncio.Event()
        before.set()


async def within(seconds: float, event: asyncio.Event) -> None:
    """Returns when the event is set, or after `seconds`."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
