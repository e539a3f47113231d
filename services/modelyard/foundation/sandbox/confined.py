"""A program in a sandbox.

sandbox = Sandbox(Tier.FOREIGN, readable=(code,), writable=(work,), limits=Limits(memory_bytes=4 << 30, wall_s=3600))
confined = await Confined.start(sandbox, [sys.executable, "-m", "modelyard.job", path], on_line=keep)
end = await confined.wait()
"""

import asyncio
import contextlib
import errno
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from modelyard.foundation.sandbox import stage, tree
from modelyard.foundation.sandbox.control import Control
from modelyard.foundation.sandbox.policy import End, EndKind, Sandbox, SandboxUnavailable
from modelyard.foundation.sandbox.preparation import Prepared, prepare
from modelyard.foundation.sandbox.watch import Excess, Watch, too_long
from modelyard.foundation.sync.children import Child, Exit, OnLine, find_program

_START_TIMEOUT_S = 60
_REMOVAL_TIMEOUT_S = 10
_LAST_WORDS = 20
_TOO_LONG = os.strerror(errno.EFBIG)


class Confined:
    """Like foundation.sync.children.Child; nothing that it started outlives it or us."""

    def __init__(self, child: Child, control: Control, prepared: Prepared, watch: Watch, said: "_Said") -> None:
        self._child = child
        self._said = said
        self._control = control
        self._prepared = prepared
        self._watch = watch
        self._killed = False
        self._ended = asyncio.create_task(self._run(), name=f"sandbox {child.pid}")

    @classmethod
    async def start(
        cls,
        sandbox: Sandbox,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        pass_fds: Sequence[int] = (),
        on_line: OnLine | None = None,
        log_file: Path | None = None,
    ) -> "Confined":
        """Starts `argv` with exactly this environment, no stdin, and these open files, in the first writable folder.

        What it writes goes line by line to `on_line`, else is appended to `log_file`, else is dropped. To be called on
        the main thread's event loop. Raises SandboxUnavailable, before anything runs, where this tier is not possible.
        """
        program = find_program(argv[0])
        folder = cwd or next(iter(sandbox.writable), Path("/"))
        prepared = await _prepared(sandbox)
        with contextlib.ExitStack() as undo:
            undo.callback(prepared.undo)
            control = Control()
            undo.callback(control.close)
            said = _Said(on_line)
            number = control.theirs.fileno()
            child = await Child.start(
                [*prepared.command, sys.executable, "-I", "-S", stage.__file__, str(number)],
                cwd=Path("/"),
                pass_fds=(*pass_fds, number, *prepared.descriptors),
                on_line=said if on_line is not None else None,
                log_file=log_file,
                doors=prepared.doors,
            )
            control.theirs.close()
            prepared.close_descriptors()
            orders = prepared.orders(child.pid) | {
                "argv": [program, *argv[1:]],
                "environment": dict(environment or {}),
                "cwd": str(folder),
                "pass_fds": list(pass_fds),
            }
            try:
                await control.order(orders)
                async with asyncio.timeout(_START_TIMEOUT_S):
                    problem = await control.started
                if problem:
                    raise SandboxUnavailable(f"the sandbox did not start: {problem}{said.before_start()}")
            except BaseException:
                control.close()
                await _abandoned(child)
                raise
            said.open()
            undo.pop_all()
        group = prepared.group
        watch = Watch(
            sandbox.limits, sandbox.writable, group, group.processes if group else lambda: tree.descendants(child.pid)
        )
        if prepared.own_processes:
            watch.memory_folders = tuple(f"/proc/{control.guardian}/root{name}" for name in ("/tmp", "/dev/shm"))
        return cls(child, control, prepared, watch, said)

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def running(self) -> bool:
        return not self._ended.done()

    def memory_bytes(self) -> int:
        """What the program and all that it started hold in memory."""
        return tree.resident_bytes(tree.descendants(self._child.pid))

    async def wait(self) -> End:
        """Returns when nothing of it is left. Cancelling the waiter does not stop it."""
        return await asyncio.shield(self._ended)

    async def stop(self, grace_s: float = 10.0) -> End:
        """SIGTERM to the program, after `grace_s` SIGKILL to all of it."""
        self.send(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace_s):
                return await self.wait()
        except TimeoutError:
            self.kill()
        return await self.wait()

    def send(self, number: signal.Signals) -> None:
        """A signal to the program itself; one that has ended gets none."""
        if self.running:
            self._control.send(number)

    def kill(self) -> None:
        """SIGKILL to the program and everything that it started."""
        if self.running:
            self._killed = True
            self._kill_all()

    def _kill_all(self) -> None:
        if self._prepared.own_processes:
            # Process 1 of its namespace: the kernel ends all the others with it.
            self._control.kill_guardian()
        else:
            self._control.send(0)
            self._child.send(signal.SIGCONT)

    async def _run(self) -> End:
        excess = await self._excess()
        code = await self._child.wait()
        try:
            self._control.read()
            ended = self._exit(code)
            await self._prepared.emptied(_REMOVAL_TIMEOUT_S)
            if excess is None and not self._killed:
                excess = await self._watch.afterwards(failed=not ended.ok, left=self._control.left)
                excess = excess or self._refused(ended)
            return _end(ended, excess)
        finally:
            self._control.close()
            await asyncio.to_thread(self._prepared.undo)

    async def _excess(self) -> Excess | None:
        """Waits until the program has ended; kills it when it takes too much, and says of what then."""
        ended = asyncio.create_task(self._child.wait())
        watching = asyncio.create_task(self._watch.excess())
        try:
            await asyncio.wait((ended, watching), return_when=asyncio.FIRST_COMPLETED)
            if not watching.done() or ended.done():
                return None
            try:
                return watching.result()
            finally:
                # Also when looking failed: what can't be watched does not run.
                self._kill_all()
        finally:
            watching.cancel()
            await asyncio.wait((watching,))

    def _refused(self, ended: Exit) -> Excess | None:
        """A limit that leaves no trace but in what the program says last: Python, for one, ignores the signal. One that
        lies about it speaks ill of itself only."""
        complains = ended.code is not None and not ended.ok and _TOO_LONG in self._said.last
        return too_long(self._watch.limits) if complains or ended.signal is signal.SIGXFSZ else None

    def _exit(self, outer: Exit) -> Exit:
        status = self._control.status
        if status is None:
            # The guardian was killed before it could tell.
            return Exit(None, outer.signal or signal.SIGKILL, self._killed)
        if os.WIFSIGNALED(status):
            return Exit(None, signal.Signals(os.WTERMSIG(status)), self._killed)
        return Exit(os.WEXITSTATUS(status), None, False)


async def _prepared(sandbox: Sandbox) -> Prepared:
    """A thread can't be cancelled: what it makes for nobody is undone."""
    preparing = asyncio.create_task(asyncio.to_thread(prepare, sandbox))
    try:
        return await asyncio.shield(preparing)
    except asyncio.CancelledError:
        await asyncio.wait((preparing,))
        if preparing.exception() is None:
            await asyncio.to_thread(preparing.result().undo)
        raise


async def _abandoned(child: Child) -> None:
    """The guardian ends all that it has started, and itself, once nobody is at the other end of its socket. To kill it
    instead would leave in the SHIPPED tier what it has started."""
    try:
        async with asyncio.timeout(_REMOVAL_TIMEOUT_S):
            await child.wait()
    except TimeoutError:
        child.kill()
        await child.wait()


def _end(ended: Exit, excess: Excess | None) -> End:
    if excess is not None:
        return End(excess[0], ended, excess[1])
    if ended.signal is not None:
        return End(EndKind.SIGNAL, ended, f"it was {ended}")
    return End(EndKind.EXITED, ended, f"it {ended}")


class _Said:
    """Lines from before the program has started are not the program's."""

    def __init__(self, on_line: OnLine | None) -> None:
        self._on_line = on_line
        self._kept: list[tuple[str, str]] | None = []
        self.last = ""
        """The last line with anything in it."""

    def __call__(self, stream: str, line: str) -> None:
        self.last = line if line and not line.isspace() else self.last
        if self._kept is not None:
            self._kept.append((stream, line))
        elif self._on_line is not None:
            self._on_line(stream, line)

    def open(self) -> None:
        """It has started."""
        kept, self._kept = self._kept or [], None
        for stream, line in kept:
            self(stream, line)

    def before_start(self) -> str:
        return "".join(f"; {line}" for _, line in (self._kept or [])[-_LAST_WORDS:])
