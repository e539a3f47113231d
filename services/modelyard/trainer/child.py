"""A job's process in its sandbox: an inherited socket to talk over, pipes for what it prints, no credentials."""

import asyncio
import contextlib
import os
import socket
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from modelyard.foundation.sandbox.confined import Confined
from modelyard.foundation.sandbox.policy import End, Sandbox
from modelyard.job.messages import Checkpointed, ChildMessage, Stop
from modelyard.job.wire import MAX_LINE_BYTES, ProtocolError, decode_child, encode
from modelyard.trainer.domain import AttemptFailed, FailureClass
from modelyard.trainer.floods import LAST_LINES, LineLimit, Pace

PROGRAM = (sys.executable, "-m", "modelyard.job")


class TrainingProcess:
    """A job's program in its workspace. Close it whatever happens."""

    def __init__(
        self, child: Confined, printed: "_Printed", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._child = child
        self._printed = printed
        self._reader = reader
        self._writer = writer

    @classmethod
    async def start(
        cls,
        sandbox: Sandbox,
        program: Sequence[str],
        job_file: Path,
        ours: socket.socket,
        theirs: socket.socket,
        say: Callable[[str], None],
    ) -> "TrainingProcess":
        """Start `program job_file` with `theirs`, whose number the file names; `say` gets the lines that it prints.

        Both sockets are this call's to close, also when it fails or is cancelled. Raises SandboxUnavailable.
        """
        printed = _Printed(say)
        with theirs, contextlib.ExitStack() as undo:
            undo.callback(ours.close)
            child = await Confined.start(
                sandbox,
                [*program, str(job_file)],
                environment=_environment(job_file.parent),
                cwd=job_file.parent,
                pass_fds=(theirs.fileno(),),
                on_line=printed.take,
            )
            undo.callback(child.kill)
            ours.setblocking(False)
            reader, writer = await asyncio.open_connection(sock=ours, limit=MAX_LINE_BYTES)
            undo.pop_all()
        return cls(child, printed, reader, writer)

    @property
    def last_lines(self) -> str:
        """The end of what it printed."""
        return "\n".join(self._printed.last)

    async def messages(self) -> AsyncIterator[ChildMessage]:
        """What it says, until it closes the socket. Raises AttemptFailed for words that are none."""
        pace = Pace()
        while True:
            await pace.keep(self._printed.say)
            try:
                line = await self._reader.readuntil(b"\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            except asyncio.LimitOverrunError:
                raise AttemptFailed(FailureClass.USER_CODE, "the job sent a message that is too long") from None
            try:
                yield decode_child(line)
            except ProtocolError as error:
                raise AttemptFailed(FailureClass.USER_CODE, f"the job sent {error}", self.last_lines) from error

    def say(self, message: Stop | Checkpointed) -> None:
        """Tell it something; a process that is gone hears nothing."""
        if not self._writer.is_closing():
            self._writer.write(encode(message))

    async def wait(self) -> End:
        """How it ended, once everything that it printed has been taken."""
        end = await self._child.wait()
        self._printed.rest()
        return end

    def kill(self) -> None:
        """End it and everything that it started, at once: one that shall save was told so before."""
        if self._child.running:
            self._child.kill()

    async def close(self) -> None:
        """Make sure that it and everything that it started is gone."""
        self.kill()
        self._writer.close()
        await self._child.wait()


class _Printed:
    """What it prints: the end of it for whoever asks why, the rest to the log while that takes it."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.last = deque[str](maxlen=LAST_LINES)
        self.say = say
        self._limit = LineLimit()

    def take(self, _stream: str, line: str) -> None:
        self.last.append(line)
        for kept in self._limit.passed(line):
            self.say(kept)

    def rest(self) -> None:
        for kept in self._limit.rest():
            self.say(kept)


def _environment(workspace: Path) -> dict[str, str]:
    """Nothing of the worker's own; what TensorFlow needs to find its libraries and a home that is the job's."""
    kept = ("PATH", "LD_LIBRARY_PATH")
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "HOME": str(workspace / "scratch"),
        "TMPDIR": str(workspace / "scratch"),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PYTHONHASHSEED": "0",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        # The driver's own order, by which the worker has named them.
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    }
