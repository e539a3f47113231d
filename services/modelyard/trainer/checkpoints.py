"""Publishes checkpoints while training goes on."""

import asyncio
import contextlib
import errno
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from modelyard.trainer.domain import AttemptFailed, AttemptStopped, FailureClass

log = logging.getLogger(__name__)

RETRY_S = 2.0
_LONGEST_RETRY_S = 30.0

Published = Callable[[int], None]
"""Called with the step once its checkpoint is safe."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    step: int
    folder: Path
    published: Published


class CheckpointPublisher:
    """One at a time, the newest first: one that became old while another was sent is left out.

    Training does not wait for it. One that can't be stored now is tried again until a newer one takes its place.
    """

    def __init__(
        self,
        store: Callable[[int, Path], Awaitable[None]],
        replaced: Callable[[], None],
        say: Callable[[str], None],
        retry_s: float = RETRY_S,
    ) -> None:
        """`replaced` is called when a newer attempt has begun, and this one's checkpoints are refused; `say` tells
        whose job it is what went wrong."""
        self._store = store
        self._replaced = replaced
        self._say = say
        self._retry_s = retry_s
        self._waiting: _Waiting | None = None
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._failures = 0
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

    async def finish(self, patience_s: float) -> None:
        """Return once the newest one is safe, or can't be made so within `patience_s`."""
        try:
            async with asyncio.timeout(patience_s):
                await self._idle.wait()
        except TimeoutError:
            log.warning("the last checkpoint was not stored in time", extra={"patience_s": patience_s})

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting is not None:
                waiting, self._waiting = self._waiting, None
                try:
                    done = await self._publish(waiting)
                except AttemptStopped:
                    self._replaced()
                    return
                if not done:
                    self._put_back(waiting)
                    await self._pause()
            self._idle.set()

    async def _publish(self, waiting: _Waiting) -> bool:
        """Whether there is nothing left to do about it."""
        try:
            await self._store(waiting.step, waiting.folder)
        except AttemptFailed as error:
            self._failures += 1
            self._say(f"the checkpoint of step {waiting.step} could not be stored: {error.message}")
            # The same files are no better the next time.
            return error.failure_class is FailureClass.USER_CODE
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                self._failures += 1
                self._say(f"the checkpoint of step {waiting.step} could not be stored: this worker's disk is full")
                return False
            # It was on disk a moment ago: the job's own code has removed it, or the disk is failing.
            self._say(f"the checkpoint of step {waiting.step} can't be read: {error}")
            return True
        self._failures = 0
        waiting.published(waiting.step)
        return True

    def _put_back(self, waiting: _Waiting) -> None:
        if self._waiting is None:
            self._waiting = waiting

    async def _pause(self) -> None:
        """Between tries; a newer checkpoint is tried at once."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(self._retry_s * 2 ** min(self._failures - 1, 8), _LONGEST_RETRY_S)):
                await self._arrived.wait()
        self._arrived.clear()
