"""The host: what runs follows what it is told, and it tells what runs."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Protocol

from modelyard.foundation.errors import Kind, ModelyardError
from modelyard.modelhost.domain import Order, Report, missing, vanished
from modelyard.modelhost.served import ServedVersion, Starting, Trees

log = logging.getLogger(__name__)

_RETRY_S = (0.2, 5.0)
_LEAVING_S = 0.2
"""Between calls while others take over."""


class Inference(Protocol):
    async def sync(self, reports: Sequence[Report], *, leaving: bool, wait: bool) -> list[Order]:
        """Says what runs, and returns what shall; with `wait` the answer may take 10 s. Raises ModelyardError."""


class Host:
    def __init__(self, inference: Inference, trees: Trees, starting: Starting, leave_s: float = 5.0) -> None:
        self._inference = inference
        self._trees = trees
        self._starting = starting
        self._leave_s = leave_s
        self._running: dict[tuple[str, str], ServedVersion] = {}
        self._orders: dict[tuple[str, str], Order] = {}
        self._changed = asyncio.Event()
        self._leaving = False
        self._failures = 0
        self.joined = asyncio.Event()
        """Set once the installation has answered."""

    def leave(self) -> None:
        """Let others take over what runs here, then stop."""
        self._leaving = True
        self._changed.set()

    async def run(self) -> None:
        """Until it was told to leave and has stopped everything. Raises when another process is this host now."""
        try:
            while not self._leaving:
                await self._talk()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._leave_s):
                    # Without the installation there is nobody who could take over.
                    while self._running and not self._failures:
                        await self._talk()
        finally:
            await self._stop_all()

    def reports(self) -> list[Report]:
        return [served.report() for served in self._running.values()]

    async def _talk(self) -> None:
        """One call; cut short when something here changes, for the next one says it."""
        self._changed.clear()
        call, change = asyncio.create_task(self._sync()), asyncio.create_task(self._changed.wait())
        try:
            await asyncio.wait({call, change}, return_when=asyncio.FIRST_COMPLETED)
            if call.done() and call.result() > 0:
                await asyncio.wait({change}, timeout=call.result())
        finally:
            call.cancel()
            change.cancel()
            await asyncio.wait({call, change})
        self._follow()

    async def _sync(self) -> float:
        """Seconds to wait before the next call."""
        try:
            orders = await self._inference.sync(self.reports(), leaving=self._leaving, wait=not self._leaving)
        except ModelyardError as error:
            if error.kind is Kind.CONFLICT:
                raise
            self._failures += 1
            log.warning("the installation cannot be reached", extra={"error": error.message})
            return min(_RETRY_S[0] * 2.0 ** min(self._failures - 1, 10), _RETRY_S[1])
        self._failures = 0
        self.joined.set()
        self._orders = {order.key: order for order in orders}
        return _LEAVING_S if self._leaving else 0.0

    def _follow(self) -> None:
        """Starts and stops what differs from the orders."""
        for key in [key for key, served in self._running.items() if served.gone]:
            del self._running[key]
        running = {key: served.order for key, served in self._running.items()}
        for key in vanished(self._orders, running):
            self._running[key].stop()
        if self._leaving:
            return
        for order in missing(self._orders, running):
            log.info("asked to serve", extra={"deployment": order.deployment, "version": order.model_version})
            self._running[order.key] = ServedVersion(order, self._trees, self._starting, self._changed.set)

    async def _stop_all(self) -> None:
        for served in self._running.values():
            served.stop()
        for served in self._running.values():
            await served.ended()
