"""Publishes checkpoints while training goes on."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from modelyard.trainer.domain import AttemptFailed

log = logging.getLogger(__name__)

Published = Callable[[int], None]
"""Called with the step once its checkpoint is safe."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    step: int
    folder: Path
    published: Published


class CheckpointPublisher:
    """One at a time, the newest first: one that became old while another was sent is left out.

    A checkpoint that can't be stored now is logged and left out as well: training goes on, and the next one is tried.
    """

    def __init__(self, store: Callable[[int, Path], Awaitable[None]]) -> None:
        self._store = store
        self._waiting: _Waiting | None = None
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "CheckpointPublisher":
        self._task = asyncio.create_task(self._run(), name="checkpoints")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])

    def add(self, step: int, folder: Path, published: Published) -> None:
        """Publish this one next."""
        self._waiting = _Waiting(step, folder, published)
        self._idle.clear()
        self._arrived.set()

    async def finish(self) -> None:
        """Wait until nothing is left to publish; raises AttemptStopped when a newer attempt has begun."""
        assert self._task is not None
        idle = asyncio.create_task(self._idle.wait())
        try:
            await asyncio.wait((idle, self._task), return_when=asyncio.FIRST_COMPLETED)
        finally:
            idle.cancel()
        if self._task.done():
            self._task.result()

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting is not None:
                waiting, self._waiting = self._waiting, None
                await self._publish(waiting)
            self._idle.set()

    async def _publish(self, waiting: _Waiting) -> None:
        try:
            await self._store(waiting.step, waiting.folder)
        except AttemptFailed as error:
            log.warning("a checkpoint was not stored", extra={"step": waiting.step, "error": error.message})
        else:
            waiting.published(waiting.step)
