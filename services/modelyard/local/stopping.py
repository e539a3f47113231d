"""`modelyard down`: tells the installation of a data folder to stop, and waits until it is gone."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from modelyard.local.errors import NotRunning
from modelyard.local.folder import DataFolder

STOP_TIMEOUT_S = 180.0
_ORDER = ("modelhost", "trainer", "proxy", "inference", "scheduler", "catalog")
"""What the supervisor stops first comes first; the store is its last."""

Tell = Callable[[str], None]
"""Called with the name of the process that is being stopped, as in logs/; "store" for the last."""


def stop(folder_path: Path, tell: Tell = lambda name: None) -> None:
    """Stop the installation of a data folder and wait until it is gone. Raises NotRunning."""
    folder = DataFolder(folder_path)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while (pid := folder.supervisor()) == 0 and time.monotonic() < deadline:
        time.sleep(0.05)  # it has the lock, and is about to write its pid
    if not pid:
        raise NotRunning(f"nothing runs on {folder.root}", folder=str(folder.root))
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    told = ""
    while folder.supervisor() == pid:
        if time.monotonic() > deadline:
            raise NotRunning(
                f"process {pid} has not stopped within {STOP_TIMEOUT_S:.0f} s; see {folder.root}/logs/up.log"
            )
        if (name := being_stopped(pid)) != told:
            told = name
            tell(name)
        time.sleep(0.05)  # the lock is freed when it is gone


def being_stopped(supervisor: int) -> str:
    """The next to go of its processes that are still there."""
    modules = {f"modelyard.{name}": name for name in _ORDER}
    running = {modules[word] for words in _children(supervisor) for word in words if word in modules}
    return next((name for name in _ORDER if name in running), "store")


def _children(process: int) -> list[list[str]]:
    """The command lines of a process's children."""
    lines = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if int((entry / "stat").read_bytes().rpartition(b")")[2].split()[1]) == process:
                    lines.append((entry / "cmdline").read_bytes().decode(errors="replace").split("\0"))
            except (FileNotFoundError, ProcessLookupError):
                continue
    return lines
