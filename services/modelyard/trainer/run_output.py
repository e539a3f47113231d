"""A job's output `run`: TensorBoard's files, reported images, and what was installed for it."""

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from modelyard.trainer.collected import Collector
from modelyard.trainer.domain import AttemptFailed, AttemptStopped
from modelyard.trainer.work import Distribution, Outputs

log = logging.getLogger(__name__)

NAME = "run"
REQUIREMENTS = "requirements.json"


class RunOutput:
    """Stored before each checkpoint, so that an attempt that goes on from there finds all that was reported up to it,
    and at the end of every attempt. It is never what an attempt fails of.

    Files that were stored before send nothing again, so each time costs what has been reported since the last one.
    """

    def __init__(self, collector: Collector, outputs: Outputs, say: Callable[[str], None]) -> None:
        self._collector = collector
        self._outputs = outputs
        self._say = say
        self._problem = ""
        self._begun = False
        self._installed: Sequence[Distribution] = ()

    def begin(self, installed: Sequence[Distribution]) -> None:
        """From here on what lies in its folder is all that there is: what earlier attempts have stored is there too.
        `installed` is what it says of the code's requirements."""
        self._begun, self._installed = True, installed

    async def store(self) -> None:
        """Store what there is by now."""
        if not self._begun:
            return
        problem = await self._tried()
        if problem and problem != self._problem:
            self._say(problem)
        self._problem = problem

    async def finish(self, patience_s: float) -> None:
        """Store all of it, once its job has ended."""
        try:
            async with asyncio.timeout(patience_s):
                await self.store()
        except TimeoutError:
            self._say(f"the output {NAME} was not stored within {patience_s:.0f} s")

    async def _tried(self) -> str:
        """Why it is not stored; "" if it is."""
        try:
            copy = await self._collector.take(f"outputs/{NAME}", NAME)
            if self._installed:
                listed = json.dumps([asdict(one) for one in self._installed], indent=1)
                await asyncio.to_thread(_write, copy / REQUIREMENTS, listed)
            if await asyncio.to_thread(_has_files, copy):
                await self._outputs.store_output(NAME, copy)
        except AttemptFailed as error:
            return f"the output {NAME} could not be stored: {error.message}"
        except OSError as error:
            return f"the output {NAME} can't be read: {error}"
        except AttemptStopped:
            log.info("a newer attempt has begun; this one's output is not stored")
        return ""


def _write(path: Path, text: str) -> None:
    """The job may have left something of that name."""
    with contextlib.suppress(IsADirectoryError):
        path.write_text(text)


def _has_files(folder: Path) -> bool:
    return any(path.is_file() for path in folder.rglob("*"))
