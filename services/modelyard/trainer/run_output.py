"""A job's output `run`: TensorBoard's files, reported images, and what was installed for it."""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from modelyard.trainer.collected import Collector
from modelyard.trainer.domain import AttemptFailed, AttemptStopped
from modelyard.trainer.work import Distribution, Outputs

log = logging.getLogger(__name__)

NAME = "run"
REQUIREMENTS = "requirements.json"
EVERY_S = 60.0


class RunOutput:
    """Stored at the end of every attempt, and now and then before. It is never what an attempt fails of."""

    def __init__(
        self, collector: Collector, outputs: Outputs, say: Callable[[str], None], every_s: float = EVERY_S
    ) -> None:
        self._collector = collector
        self._outputs = outputs
        self._say = say
        self._every_s = every_s
        self._stored_at = -every_s
        self._task: asyncio.Task[None] | None = None
        self.installed: Sequence[Distribution] = ()
        """What it says of the code's requirements."""

    def soon(self) -> None:
        """Store what there is by now, in the background, unless that was done a moment ago."""
        now = time.monotonic()
        idle = self._task is None or self._task.done()
        if idle and now - self._stored_at >= self._every_s:
            self._stored_at = now
            self._task = asyncio.create_task(self._store(), name="output run")

    async def finish(self, patience_s: float) -> None:
        """Store all of it, once its job has ended."""
        try:
            async with asyncio.timeout(patience_s):
                await self.close()
                await self._store()
        except TimeoutError:
            self._say(f"the output {NAME} was not stored within {patience_s:.0f} s")

    async def close(self) -> None:
        """End what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
            self._task = None

    async def _store(self) -> None:
        try:
            copy = await self._collector.take(f"outputs/{NAME}", NAME)
            if self.installed:
                listed = json.dumps([asdict(one) for one in self.installed], indent=1)
                await asyncio.to_thread(_write, copy / REQUIREMENTS, listed)
            if await asyncio.to_thread(_has_files, copy):
                await self._outputs.store_output(NAME, copy)
        except AttemptFailed as error:
            self._say(f"the output {NAME} could not be stored: {error.message}")
        except OSError as error:
            self._say(f"the output {NAME} can't be read: {error}")
        except AttemptStopped:
            log.info("a newer attempt has begun; this one's output is not stored")


def _write(path: Path, text: str) -> None:
    """The job may have left something of that name."""
    with contextlib.suppress(IsADirectoryError):
        path.write_text(text)


def _has_files(folder: Path) -> bool:
    return any(path.is_file() for path in folder.rglob("*"))
