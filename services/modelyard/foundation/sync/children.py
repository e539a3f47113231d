"""Child processes that never outlive us.

child = await Child.start([sys.executable, "-m", "modelyard.job", path], on_line=keep, pass_fds=[socket.fileno()])
ended = await child.wait()
"""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelyard.foundation.errors import FailedPrecondition
from modelyard.foundation.sync import launch

MAX_LINE_BYTES = 16 * 1024
_READ_BYTES = 64 * 1024

OnLine = Callable[[str, str], None]
"""Called with "stdout" or "stderr" and a line without its end; on the event loop, so it must not block."""


class ProgramMissing(FailedPrecondition):
    reason = "PROGRAM_MISSING"


@dataclass(frozen=True, slots=True)
class Exit:
    code: int | None
    """Exit status, None when a signal ended it."""
    signal: signal.Signals | None
    killed: bool
    """Whether it took SIGKILL from us, after the grace."""

    @property
    def ok(self) -> bool:
        return self.code == 0

    def __str__(self) -> str:
        if self.signal is not None:
            return f"ended by {self.signal.name}" + (" after it did not stop in time" if self.killed else "")
        return f"ended with status {self.code}"


class Child:
    """One running child: in a process group of its own, killed by the kernel when we die."""

    def __init__(self, process: asyncio.subprocess.Process, readers: list[asyncio.Task[None]]) -> None:
        self._process = process
        self._readers = readers
        self._killed = False
        self._ended = asyncio.create_task(self._watch(), name=f"child {process.pid}")

    @classmethod
    async def start(
        cls,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        pass_fds: Sequence[int] = (),
        on_line: OnLine | None = None,
        log_file: Path | None = None,
        doors: Sequence[Path] = (),
    ) -> "Child":
        """Starts `argv` with exactly this environment (none by default), no stdin, and these open files.

        What it writes goes line by line to `on_line`, else is appended to `log_file`, else is dropped. `doors` are the
        cgroup.procs files of the control groups it shall be in. To be called on the main thread's event loop: the
        kernel ties the child's life to the thread that started it.
        """
        program = find_program(argv[0])
        # -I -S: the launcher sees nothing of the environment and of site-packages.
        command = [sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), str(len(doors))]
        command += [*map(str, doors), program, *argv[1:]]
        with contextlib.ExitStack() as stack:
            output: int = asyncio.subprocess.DEVNULL
            if on_line is not None:
                output = asyncio.subprocess.PIPE
            elif log_file is not None:
                output = stack.enter_context(log_file.open("ab")).fileno()
            process = await asyncio.create_subprocess_exec(
                *command,
                env=dict(environment or {}),
                cwd=cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=tuple(pass_fds),
                start_new_session=True,
                umask=0o077,
            )
        readers = []
        if on_line is not None:
            for name, stream in (("stdout", process.stdout), ("stderr", process.stderr)):
                assert stream is not None
                readers.append(asyncio.create_task(_read_lines(name, stream, on_line)))
        return cls(process, readers)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return not self._ended.done()

    async def wait(self) -> Exit:
        """Returns when it has ended and its last line was read. Cancelling the waiter does not stop the child."""
        return await asyncio.shield(self._ended)

    async def stop(self, grace_s: float = 10.0) -> Exit:
        """SIGTERM to the child, after `grace_s` SIGKILL to its whole group."""
        self.send(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace_s):
                return await self.wait()
        except TimeoutError:
            self.kill()
        return await self.wait()

    def send(self, number: signal.Signals) -> None:
        """A signal to the child itself; one that has ended gets none."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL to the child and everything it started in its group."""
        self._killed = self.running
        self._kill_group()

    async def _watch(self) -> Exit:
        await _exited(self._process.pid)
        # What it left behind would outlive it, and holds its pipes open, whose end asyncio waits for.
        self._kill_group()
        code = await self._process.wait()
        if self._readers:
            await asyncio.wait(self._readers)
        if code < 0:
            return Exit(None, signal.Signals(-code), self._killed)
        return Exit(code, None, False)

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


async def _exited(pid: int) -> None:
    """Returns when the process has ended, whoever still holds its pipes."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def find_program(name: str) -> str:
    """The absolute path of a program; symbolic links stay, for a virtual environment's python is one.

    Raises ProgramMissing.
    """
    found = name if os.sep in name else shutil.which(name)
    if found is None or not os.access(found, os.X_OK):
        raise ProgramMissing(f"there is no program {name} on this machine", program=name)
    return str(Path(found).absolute())


async def _read_lines(name: str, stream: asyncio.StreamReader, on_line: OnLine) -> None:
    """Calls `on_line` for each line; one longer than MAX_LINE_BYTES is cut and the rest of it dropped."""
    pending = b""
    dropping = False
    while data := await stream.read(_READ_BYTES):
        *lines, rest = (pending + data).split(b"\n")
        for line in lines:
            if not dropping:
                on_line(name, _text(line))
            dropping = False
        pending = b"" if dropping else rest
        if len(pending) > MAX_LINE_BYTES:
            on_line(name, _text(pending))
            pending, dropping = b"", True
    if pending:
        on_line(name, _text(pending))


def _text(line: bytes) -> str:
    cut = line[:MAX_LINE_BYTES].rstrip(b"\r").decode("utf-8", "replace")
    return cut + "…" if len(line) > MAX_LINE_BYTES else cut
