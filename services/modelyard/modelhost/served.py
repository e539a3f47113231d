"""One served version from its order to its end: fetch, start, warm, watch, start again."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from modelyard.foundation.errors import ModelyardError
from modelyard.modelhost.domain import RETRY_FAILED_S, CannotServe, NotNow, Order, Record, Report, State

log = logging.getLogger(__name__)

_NOT_NOW_S = (1.0, 30.0)


class ModelServer(Protocol):
    """A running process."""

    endpoint: str

    async def ready(self) -> None:
        """Returns when the model is loaded, warm and checked. Raises CannotServe."""

    async def ended(self) -> str:
        """How it ended, in words; returns when it has."""

    async def stop(self) -> None:
        """Lets the calls in flight end, then ends it."""

    def memory_bytes(self) -> int: ...


class Trees(Protocol):
    def tree(self, order: Order, progress: Callable[[str], None]) -> AbstractAsyncContextManager[Path]:
        """A verified local copy of the version, which stays while the block runs.

        Raises NotNow when it cannot be fetched now, CannotServe when it will not be by trying again soon.
        """


class Starting(Protocol):
    async def start(self, order: Order, tree: Path) -> ModelServer:
        """Starts a model server on it; raises CannotServe."""


class ServedVersion:
    """Begins at once; `stop` ends it."""

    def __init__(self, order: Order, trees: Trees, starting: Starting, changed: Callable[[], object]) -> None:
        """`changed` is called whenever the report says something new."""
        self.order = order
        self._trees = trees
        self._starting = starting
        self._changed = changed
        self._state = State.FETCHING
        self._message = ""
        self._server: ModelServer | None = None
        self._restarts = 0
        self._task = asyncio.create_task(self._live(), name=f"{order.deployment} {order.version}")
        self._task.add_done_callback(lambda _: changed())

    @property
    def gone(self) -> bool:
        return self._task.done()

    def stop(self) -> None:
        if self._state is not State.STOPPING:
            self._say(State.STOPPING, "ends what is in flight")
            self._task.cancel()

    async def ended(self) -> None:
        await asyncio.wait([self._task])

    def report(self) -> Report:
        server = self._server
        return Report(
            order=self.order,
            state=self._state,
            message=self._message,
            endpoint=server.endpoint if server and self._state in (State.SERVING, State.STOPPING) else "",
            memory_bytes=server.memory_bytes() if server else 0,
            restart_count=self._restarts,
        )

    async def _live(self) -> None:
        """Tries until it is cancelled."""
        delay = _NOT_NOW_S[0]
        while True:
            try:
                async with self._trees.tree(self.order, self._progress) as tree:
                    await self._keep_running(tree)
            except NotNow as error:
                self._say(State.FETCHING, f"{error.message}; trying again")
                await asyncio.sleep(delay)
                delay = min(2 * delay, _NOT_NOW_S[1])
            except ModelyardError as error:
                await self._fail_for_now(error.message)
            except Exception:
                log.exception("served version broke", extra={"deployment": self.order.deployment})
                await self._fail_for_now("something broke on the host; its log says what")

    async def _fail_for_now(self, message: str) -> None:
        self._say(State.FAILED, message)
        await asyncio.sleep(RETRY_FAILED_S)
        self._say(State.FETCHING, f"trying again after: {message}")

    async def _keep_running(self, tree: Path) -> None:
        """Starts the model server, and again when it dies; cancelled when it shall stop."""
        record = Record()
        while True:
            how, record = await self._one_life(tree, record)
            if record.hopeless:
                self._say(State.FAILED, how)
                await asyncio.Event().wait()
            self._say(State.LOADING, f"started again: {how}")
            await asyncio.sleep(record.backoff_s)
            self._restarts += 1

    async def _one_life(self, tree: Path, record: Record) -> tuple[str, Record]:
        """How it ended, and the record with that in it."""
        self._say(State.LOADING, self._message if record.failures else "")
        self._server = server = await self._starting.start(self.order, tree)
        answering = time.monotonic()
        try:
            try:
                await server.ready()
            except CannotServe as error:
                return error.message, record.ended(0)
            record, answering = record.answered(), time.monotonic()
            self._say(State.SERVING, "")
            how = await server.ended()
            return how, record.ended(time.monotonic() - answering)
        finally:
            await server.stop()
            self._server = None

    def _progress(self, message: str) -> None:
        """Goes out with the next report; it is not worth one of its own."""
        if self._state is State.FETCHING:
            self._message = message

    def _say(self, state: State, message: str) -> None:
        if (state, message) == (self._state, self._message) or self._state is State.STOPPING:
            return
        self._state, self._message = state, message
        level = logging.WARNING if state is State.FAILED else logging.INFO
        log.log(
            level,
            "served version",
            extra={
                "deployment": self.order.deployment,
                "version": self.order.version,
                "state": state.name,
                "why": message,
            },
        )
        self._changed()
