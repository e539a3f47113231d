"""`modelyard up`: the whole installation on this machine, until it is told to stop."""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from modelyard.foundation.addresses import TcpAddress, parse_listen
from modelyard.foundation.telemetry import logs
from modelyard.local.errors import (
    BY_REASON,
    FolderUnusable,
    LocalError,
    PortTaken,
    ProcessDidNotStart,
)
from modelyard.local.folder import DataFolder
from modelyard.local.identities import ensure_identities
from modelyard.local.processes import plan
from modelyard.local.stopping import STOP_TIMEOUT_S
from modelyard.local.store import Store, choose_store
from modelyard.local.supervisor import Supervisor, rotating

log = logging.getLogger("modelyard.up")

DEFAULT_PORT = 8470
_RENEW_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for."""

    folder: Path
    port: int = DEFAULT_PORT
    s3_endpoint: str = ""

    @property
    def address(self) -> str:
        """The one address."""
        return f"127.0.0.1:{self.port}"


@dataclass(frozen=True, slots=True)
class Listener:
    """Whoever shows what happens."""

    store: Callable[[Store], None]
    process: Callable[[str, str], None]
    """A process's name and `starting`, `ready`, `restarting` or `stopped`."""
    up: Callable[[str], None]
    """Everything is ready at this address."""


async def run(wanted: Wanted, listener: Listener) -> None:
    """Start everything, keep it running, drain on SIGTERM or SIGINT; a second one ends everything at once.

    Raises FailedPrecondition's subclasses with a sentence, and has left nothing running then.
    """
    stopping = Stopping()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stopping.asked)
    folder = DataFolder(wanted.folder)
    try:
        await _run(wanted, listener, folder, stopping)
    except OSError as error:
        raise FolderUnusable(
            f"the data folder {folder.root} can't be used: {error.strerror or error}"
            + (f" ({error.filename})" if error.filename else ""),
            folder=str(folder.root),
        ) from error


class Stopping:
    """Whether it was asked to stop, and whether it was asked twice."""

    def __init__(self) -> None:
        self.event = asyncio.Event()
        self.again: Callable[[], None] = lambda: None

    def asked(self) -> None:
        """A signal has come."""
        if self.event.is_set():
            self.again()
        self.event.set()


async def _run(wanted: Wanted, listener: Listener, folder: DataFolder, stopping: Stopping) -> None:
    stop = stopping.event
    with folder.claimed():
        check_port(wanted.address)
        _log_to(folder.part("logs") / "up.log")
        ensure_identities(folder)
        store = choose_store(folder, wanted.s3_endpoint)
        listener.store(store)
        supervisor = Supervisor(plan(folder, wanted.address, store), store, folder.part("logs"), listener.process)
        stopping.again = supervisor.hurry
        try:
            await _until(stop, supervisor.start())
            if not stop.is_set():
                folder.record_port(wanted.port)
                folder.write_up(_facts(wanted, store, supervisor))
                listener.up(wanted.address)
                await _until(stop, _renew_tokens(folder))
        finally:
            await supervisor.stop()
            store.sweep()
            folder.remove_run_folder()


async def _until(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Run `work` until it ends or `stop` is set; raises what it raises."""
    task, stopped = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
    finally:
        for each in (task, stopped):
            each.cancel()
        await asyncio.wait((task, stopped))


async def _renew_tokens(folder: DataFolder) -> None:
    """Machines' tokens outlive many of these, so what can't be written today may be so tomorrow."""
    while True:
        await asyncio.sleep(_RENEW_S)
        try:
            ensure_identities(folder)
        except OSError as error:
            log.error("the tokens of the installation's own parts could not be renewed", extra={"error": str(error)})


def _facts(wanted: Wanted, store: Store, supervisor: Supervisor) -> dict[str, object]:
    return {
        "version": version("modelyard"),
        "pid": os.getpid(),
        "address": wanted.address,
        "start_time": time.time(),
        "store": {"kind": store.kind, "title": store.title, "endpoint": store.settings.endpoint},
        "processes": supervisor.pids(),
    }


def check_port(address: str) -> None:
    """Raise PortTaken if somebody listens there."""
    where = parse_listen(address)
    assert isinstance(where, TcpAddress)
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((where.host, where.port))
    except OSError as error:
        raise PortTaken(
            f"{address} can't be used: {error.strerror}; stop what listens there, or choose another with --port",
            address=address,
        ) from None


def _log_to(path: Path) -> None:
    # On a full disk lines are lost, here and in the processes' logs; complaining about each would help nobody.
    logging.raiseExceptions = False
    logs.configure("up", handler=rotating(path))


def start_detached(wanted: Wanted) -> str:
    """Start `modelyard up` in the background; answers the address once it is up.

    Raises what it said, as the error that it raised.
    """
    folder = DataFolder(wanted.folder)
    command = [sys.executable, "-m", "modelyard.cli", "up", "--dir", str(wanted.folder), "--port", str(wanted.port)]
    if wanted.s3_endpoint:
        command += ["--s3-endpoint", wanted.s3_endpoint]
    process: subprocess.Popen[bytes] | None = None
    output = folder.root.with_name(folder.root.name + ".starting")
    try:
        folder.root.parent.mkdir(parents=True, exist_ok=True)
        with output.open("w") as file:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
            )
        while True:
            facts = folder.read_up()
            if facts is not None and facts["pid"] == process.pid:
                return str(facts["address"])
            if process.poll() is not None:
                raise _why(output.read_text(), process.returncode)
            time.sleep(0.1)  # the file appears once everything is ready
    except KeyboardInterrupt:
        if process is not None:
            process.terminate()
            process.wait(STOP_TIMEOUT_S)
        raise
    except OSError as error:
        raise FolderUnusable(f"{folder.root} can't be made: {error.strerror}", folder=str(folder.root)) from error
    finally:
        output.unlink(missing_ok=True)


def _why(said: str, status: int) -> LocalError:
    """What the process in the background gave as its reason: its last line that begins with `error:`."""
    errors = [line.removeprefix("error: ") for line in said.splitlines() if line.startswith("error: ")]
    sentence = errors[-1] if errors else said.strip() or f"`up` ended with status {status}"
    message, _, reason = sentence.rpartition(" [")
    kind = BY_REASON.get(reason.removesuffix("]")) if errors else None
    return kind(message) if kind else ProcessDidNotStart(sentence)
