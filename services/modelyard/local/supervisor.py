"""Keeps the processes of an installation running."""

import asyncio
import json
import logging
import logging.handlers
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from modelyard.foundation.config import ChannelSettings
from modelyard.foundation.rpc.channel import connect
from modelyard.foundation.sync.children import Child, ProgramMissing
from modelyard.local.errors import ProcessDidNotStart
from modelyard.local.processes import Process
from modelyard.local.store import Store

log = logging.getLogger(__name__)

START_TIMEOUT_S = 300.0
MAX_BACKOFF_S = 30.0
SETTLED_S = 60.0
_LOG_BYTES, _LOG_FILES = 10 << 20, 3

Tell = Callable[[str, str], None]
"""Called with a process's name and `starting`, `ready`, `restarting` or `stopped`."""


class Supervisor:
    """Starts processes in order, restarts what dies, stops them in the opposite order."""

    def __init__(self, processes: Sequence[Process], store: Store, logs: Path, tell: Tell) -> None:
        self._processes = processes
        self._store = store
        self._logs = logs
        self._tell = tell
        self._children: dict[str, Child] = {}
        self._last: dict[str, deque[str]] = {}
        self._writers: dict[str, logging.Logger] = {}
        self._ready = {process.name: asyncio.Event() for process in processes}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._hurried = False
        self.restarts = dict.fromkeys(self._ready, 0)

    async def start(self) -> None:
        """Return once all are ready; raises ProcessDidNotStart with the reason that the process gave."""
        for process in self._processes:
            self._keepers[process.name] = asyncio.create_task(self._keep(process), name=process.name)
        everything = asyncio.create_task(self._all_ready())
        try:
            await asyncio.wait({everything, *self._keepers.values()}, return_when=asyncio.FIRST_COMPLETED)
            for keeper in self._keepers.values():
                if keeper.done():
                    keeper.result()
        finally:
            everything.cancel()

    async def _all_ready(self) -> None:
        for event in self._ready.values():
            await event.wait()

    async def stop(self) -> None:
        """Drain all of them, the last started first."""
        for keeper in self._keepers.values():
            keeper.cancel()
        if self._keepers:
            await asyncio.wait(self._keepers.values())
        for process in reversed(self._processes):
            child = self._children.get(process.name)
            if child is not None:
                await child.stop(0 if self._hurried else process.grace_s)
                self._tell(process.name, "stopped")
        for writer in self._writers.values():
            for handler in writer.handlers:
                handler.close()

    def hurry(self) -> None:
        """End all of them now, those that `stop` is draining too."""
        self._hurried = True
        for child in self._children.values():
            if child.running:
                child.kill()

    def pids(self) -> dict[str, int]:
        """Of the running processes."""
        return {name: child.pid for name, child in self._children.items() if child.running}

    async def _keep(self, process: Process) -> None:
        """Run the process for good; ends only by cancellation, or when it does not start the first time."""
        for name in process.after:
            await self._ready[name].wait()
        writer = self._writers[process.name] = _log_writer(self._logs / f"{process.name}.log")
        failures = 0
        while True:
            self._tell(process.name, "starting" if not failures else "restarting")
            started = time.monotonic()
            try:
                how = await self._run_once(process, writer)
            except (OSError, ProgramMissing) as error:
                if not self._ready[process.name].is_set():
                    raise ProcessDidNotStart(
                        f"{process.name} can't be started: {error}", process=process.name
                    ) from error
                how = f"can't be started: {error}"
            failures = 1 if time.monotonic() - started > SETTLED_S else failures + 1
            self.restarts[process.name] += 1
            log.warning("a process has ended and is started again", extra={"which": process.name, "how": how})
            await asyncio.sleep(min(0.25 * 2 ** min(failures, 8), MAX_BACKOFF_S))  # back-off between starts

    async def _run_once(self, process: Process, writer: logging.Logger) -> str:
        """From its start to its end, and how it ended. Raises OSError, or ProcessDidNotStart the first time."""
        child = await self._launch(process, writer)
        if await self._became_ready(process, child):
            self._ready[process.name].set()
            self._tell(process.name, "ready")
        elif not self._ready[process.name].is_set():
            why = self._why(process.name, child)
            await child.stop(1)
            raise ProcessDidNotStart(why, process=process.name)
        elif child.running:
            log.error("a process does not become ready", extra={"which": process.name})
            await child.stop(1)
        return str(await child.wait())

    async def _launch(self, process: Process, writer: logging.Logger) -> Child:
        last = self._last[process.name] = deque[str](maxlen=30)

        def take(stream: str, line: str) -> None:
            last.append(line)
            writer.info(line)

        child = await Child.start(process.argv, environment=process.environment, cwd=process.cwd, on_line=take)
        self._children[process.name] = child
        return child

    async def _became_ready(self, process: Process, child: Child) -> bool:
        """False when it ended before, or takes too long."""
        ready = asyncio.create_task(_until_serving(process) if process.health else self._store.ready())
        gone = asyncio.create_task(child.wait())
        try:
            await asyncio.wait((ready, gone), timeout=START_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
            return ready.done() and ready.exception() is None
        finally:
            for task in (ready, gone):
                task.cancel()

    def _why(self, name: str, child: Child) -> str:
        lines = [line for line in self._last[name] if line.strip()]
        said = _sentence(lines[-1]) if lines else "it said nothing"
        how = "is not ready" if child.running else "has ended"
        return f"{name} {how}: {said} (more in {self._logs / name}.log)"


async def _until_serving(process: Process) -> None:
    """Return once the process's gRPC health says SERVING."""
    channel = connect(ChannelSettings(target=process.health))
    try:
        stub = health_pb2_grpc.HealthStub(channel)
        while True:
            try:
                answer = await stub.Check(health_pb2.HealthCheckRequest(service=process.service), timeout=5)
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
            except grpc.aio.AioRpcError as error:
                log.debug("not ready yet", extra={"target": process.health, "code": error.code().name})
            await asyncio.sleep(0.05)  # between looks: a process that is not up tells nobody
    finally:
        await channel.close()


def rotating(path: Path) -> logging.Handler:
    """Appends to the file, of which the newest `_LOG_FILES` full ones are kept."""
    return logging.handlers.RotatingFileHandler(path, maxBytes=_LOG_BYTES, backupCount=_LOG_FILES)


def _log_writer(path: Path) -> logging.Logger:
    """A logger of its own that writes lines as they are and rotates."""
    handler = rotating(path)
    handler.setFormatter(logging.Formatter("%(message)s"))
    writer = logging.Logger(f"process.{path.stem}")
    writer.addHandler(handler)
    return writer


def _sentence(line: str) -> str:
    """The event of a JSON log line; any other line as it is."""
    try:
        event = json.loads(line)
    except ValueError:
        return line
    return str(event.get("error") or event.get("event") or line) if isinstance(event, dict) else line
