"""Model servers as processes, each in a sandbox: no network, an empty environment, its model to read, and a folder of
its own with the socket that only we can reach. What others made is loaded in the strong tier, or not at all.
"""

import asyncio
import contextlib
import json
import logging
import shutil
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from modelyard.foundation.config import ChannelSettings
from modelyard.foundation.errors import ModelyardError
from modelyard.foundation.rpc.channel import connect
from modelyard.foundation.sandbox.confined import Confined
from modelyard.foundation.sandbox.policy import EndKind, Limits, Sandbox, Tier
from modelyard.modelhost.adapters.probe import Probe
from modelyard.modelhost.adapters.programs import Program, command_line
from modelyard.modelhost.domain import CannotServe, Order
from modelyard.modelhost.golden import examples

log = logging.getLogger(__name__)

_LAST_LINES = 20
_MAX_MESSAGE_BYTES = 64 << 20
_MAX_PIDS = 4096
"""TensorFlow, Envoy and gRPC start a thread or more for each processor."""
_SCRATCH_BYTES, _SCRATCH_FILES = 256 << 20, 1000
_PLAIN = (EndKind.EXITED, EndKind.SIGNAL)


class ProcessStarting:
    def __init__(
        self,
        program: Program,
        work_folder: Path,
        run_folder: Path,
        *,
        more: Sequence[str] = (),
        memory_bytes: int = 0,
        start_timeout_s: float = 180.0,
        stop_grace_s: float = 35.0,
    ) -> None:
        """Folders of model servers that an earlier process left are removed: the kernel ended them with it."""
        self._program = program
        self._served = work_folder.absolute() / "served"
        self._run = run_folder.absolute()
        self._more = more
        self._limits = Limits(
            memory_bytes=memory_bytes, pids=_MAX_PIDS, disk_bytes=_SCRATCH_BYTES, disk_files=_SCRATCH_FILES
        )
        self._start_timeout_s = start_timeout_s
        self._stop_grace_s = stop_grace_s
        for folder in (self._served, self._run):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
            for leftover in folder.iterdir():
                if leftover.is_dir() and not leftover.is_symlink():
                    shutil.rmtree(leftover)

    async def start(self, order: Order, tree: Path) -> "ProcessServer":
        lines: deque[str] = deque(maxlen=_LAST_LINES)
        folder, socket = self._served / order.folder_name, self._run / order.folder_name / "s.sock"
        command = command_line(
            self._program,
            socket=socket,
            name=order.serving_name,
            base=folder / "model",
            batching=order.batching,
            more=self._more,
        )
        home = folder / "home"
        sandbox = self._sandbox(order, tree, folder / "model", (home, socket.parent))
        try:
            _prepare(folder, socket.parent, tree, order.version)
            child = await Confined.start(
                sandbox,
                command,
                environment=_environment(home),
                cwd=home,
                on_line=lambda _, line: _keep(order, lines, line),
            )
        except OSError as error:
            raise CannotServe(f"a model server cannot be started here: {error.strerror}") from error
        except ModelyardError as error:
            raise CannotServe(error.message) from error
        log.info(
            "model server started",
            extra={"deployment": order.deployment, "pid": child.pid, "sandbox": sandbox.tier.value},
        )
        return ProcessServer(child, order, tree, socket, lines, folder, self._start_timeout_s, self._stop_grace_s)

    def _sandbox(self, order: Order, tree: Path, base: Path, writable: tuple[Path, ...]) -> Sandbox:
        return Sandbox(
            Tier.FOREIGN if order.foreign else Tier.SHIPPED,
            readable=(tree.absolute(), base, *self._program.files),
            writable=writable,
            limits=self._limits,
        )


class ProcessServer:
    def __init__(
        self,
        child: Confined,
        order: Order,
        tree: Path,
        socket: Path,
        lines: "deque[str]",
        folder: Path,
        start_timeout_s: float,
        stop_grace_s: float,
    ) -> None:
        self.endpoint = f"unix:{socket}"
        self._child = child
        self._order = order
        self._tree = tree
        self._lines = lines
        self._folders = (folder, socket.parent)
        self._start_timeout_s = start_timeout_s
        self._stop_grace_s = stop_grace_s

    async def ready(self) -> None:
        ended = asyncio.create_task(self.ended())
        warm = asyncio.create_task(self._warm())
        try:
            await asyncio.wait({ended, warm}, timeout=self._start_timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if warm.done():
                warm.result()
            elif ended.done():
                raise CannotServe(ended.result())
            else:
                raise CannotServe(f"the model server was not ready after {self._start_timeout_s:.0f} s")
        finally:
            ended.cancel()
            warm.cancel()
            await asyncio.wait({ended, warm})

    async def ended(self) -> str:
        end = await self._child.wait()
        said = _reason(self._lines)
        how = str(end.exit) if end.kind in _PLAIN else f"was ended: {end.message}"
        return f"the model server {how}" + (f": {said}" if said else "")

    async def stop(self) -> None:
        await self._child.stop(self._stop_grace_s)
        for folder in self._folders:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def memory_bytes(self) -> int:
        return self._child.memory_bytes()

    async def _warm(self) -> None:
        """Until it answers real examples as it did when the version was made."""
        asked = await asyncio.to_thread(examples, self._tree, row_wise=self._order.batching)
        # The socket is there within a second, or never: a long pause between tries would only be felt.
        options = [("grpc.max_reconnect_backoff_ms", 250)]
        settings = ChannelSettings(target=self.endpoint)
        async with connect(settings, max_message_bytes=_MAX_MESSAGE_BYTES, options=options) as channel:
            probe = Probe(channel, self._order.serving_name, self._order.version)
            await probe.loaded()
            for example in asked:
                await probe.answers(example)


def _prepare(folder: Path, sockets: Path, tree: Path, version: int) -> None:
    """`folder/model/{version}` is the tree; nobody else may enter what is made here."""
    for fresh in (folder, sockets):
        shutil.rmtree(fresh, ignore_errors=True)
    for made in (sockets, folder, folder / "model", folder / "home"):
        made.mkdir(mode=0o700)
    (folder / "model" / str(version)).symlink_to(tree.absolute(), target_is_directory=True)


def _environment(home: Path) -> dict[str, str]:
    """No credentials, and nothing else that is ours."""
    return {"HOME": str(home), "TMPDIR": str(home), "PATH": "/usr/local/bin:/usr/bin:/bin", "TF_CPP_MIN_LOG_LEVEL": "2"}


def _keep(order: Order, lines: "deque[str]", line: str) -> None:
    lines.append(line)
    log.debug("model server says", extra={"deployment": order.deployment, "line": line})


def _reason(lines: Sequence[str]) -> str:
    """The last thing it said that tells why: an `error` of its JSON log, else its last line."""
    for line in reversed(lines):
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict) and event.get("error"):
                return str(event["error"])[:500]
    plain = [line for line in lines if line.strip() and not line.startswith("{")]
    return plain[-1][:500] if plain else ""
