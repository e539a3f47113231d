"""Which tokens were revoked, as far as the catalog said so last."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from modelyard.foundation.clock import Clock, SystemClock
from modelyard.foundation.errors import ModelyardError
from modelyard.foundation.sync.loop import Loop

log = logging.getLogger(__name__)

POLL_S = 2.0


@dataclass(frozen=True, slots=True)
class Revocation:
    token_id: str
    expire_time: datetime
    """When the token ends by itself and need not be remembered."""


@dataclass(frozen=True, slots=True)
class RevocationPage:
    revocations: Sequence[Revocation]
    cursor: str
    """What to ask with the next time; "" is from the beginning."""


ListRevocations = Callable[[str], Awaitable[RevocationPage]]


class Revocations:
    """A set that follows `list_revocations(since)`, asked every two seconds.

    When it cannot be asked, what is known stays and all other tokens live on until they expire.
    """

    def __init__(
        self,
        list_revocations: ListRevocations,
        *,
        unreachable: tuple[type[Exception], ...] = (ModelyardError, OSError, TimeoutError),
        clock: Clock | None = None,
        poll_s: float = POLL_S,
    ) -> None:
        self._list = list_revocations
        self._clock = clock or SystemClock()
        self._expire_times: dict[str, datetime] = {}
        self._cursor = ""
        self._loop = Loop("revocations", self.poll, period_s=poll_s, expected=unreachable)

    def is_revoked(self, token_id: str) -> bool:
        return token_id in self._expire_times

    def add(self, revocations: Iterable[Revocation]) -> None:
        """For the catalog itself, which knows at once."""
        for revocation in revocations:
            self._expire_times[revocation.token_id] = revocation.expire_time

    async def poll(self) -> None:
        page = await self._list(self._cursor)
        self.add(page.revocations)
        self._cursor = page.cursor
        self._forget()

    def start(self) -> asyncio.Task[None]:
        return self._loop.start()

    async def stop(self) -> None:
        await self._loop.stop()

    def _forget(self) -> None:
        horizon = self._clock.now() - timedelta(minutes=5)
        for token_id in [known for known, expire in self._expire_times.items() if expire < horizon]:
            del self._expire_times[token_id]
