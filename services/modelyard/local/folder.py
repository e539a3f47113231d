"""The data folder of an installation on one machine.

VERSION.json  which modelyard made it, and the number of its format
lock          held by the running supervisor; its text is the supervisor's pid
up.json       the running installation: address, store, processes
port          where it was up the last time
token         the administrator's token (0600)
keys/ config/ db/ logs/ work/ store/ run/
"""

import fcntl
import hashlib
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from modelyard.foundation.addresses import MAX_UNIX_PATH
from modelyard.local.errors import FolderInUse, FolderNotOurs, FolderTooNew

FORMAT = 1
LONGEST_SOCKET = "/proxy/metrics-front.sock"
_FIRST = ("lock", "VERSION.json.new")
"""What a start that was broken off at once may leave."""
_PARTS = ("keys", "config", "db", "logs", "work", "store")


def replace_file(path: Path, text: str) -> None:
    """Give the file this line or these lines at once, and have them on disk; only its owner can read it."""
    partial = path.with_name(path.name + ".new")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


class DataFolder:
    """Paths, the stamp and the lock."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.token = self.root / "token"
        self.up_file = self.root / "up.json"
        self._port_file = self.root / "port"
        self._lock_file = self.root / "lock"
        self._stamp_file = self.root / "VERSION.json"

    def part(self, name: str) -> Path:
        """`keys`, `config`, `db`, `logs`, `work` or `store`."""
        return self.root / name

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Make the folder this process's own while the block runs.

        Raises FolderInUse, FolderTooNew or FolderNotOurs, and has changed nothing then.
        """
        self._check()
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not _locked(lock):
                raise FolderInUse(
                    f"modelyard already runs on {self.root} (process {self.supervisor()}); "
                    "stop it with `modelyard down`, or choose another folder with --dir",
                    folder=str(self.root),
                )
            # Of one that was killed: it says an address where nobody is yet.
            self.up_file.unlink(missing_ok=True)
            os.ftruncate(lock, 0)
            os.pwrite(lock, str(os.getpid()).encode(), 0)
            self._stamp()
            try:
                yield
            finally:
                self.up_file.unlink(missing_ok=True)
                os.ftruncate(lock, 0)
        finally:
            os.close(lock)

    def supervisor(self) -> int | None:
        """The pid of the running supervisor; None if none runs, 0 while it is just starting."""
        try:
            lock = os.open(self._lock_file, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            # Shared, so that two who look do not take each other for a supervisor.
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            text = os.pread(lock, 32, 0)
            return int(text) if text.isdigit() else 0
        finally:
            os.close(lock)
        return None

    def write_up(self, facts: dict[str, Any]) -> None:
        """Record the running installation."""
        replace_file(self.up_file, json.dumps(facts, indent=1))

    def read_up(self) -> dict[str, Any] | None:
        """The running installation; None while it is not up."""
        if self.supervisor() is None or not self.up_file.exists():
            return None
        facts: dict[str, Any] = json.loads(self.up_file.read_text())
        return facts

    def record_port(self, port: int) -> None:
        """For the next start, which is there again unless it is told otherwise."""
        if port != self.last_port():
            replace_file(self._port_file, str(port))

    def last_port(self) -> int | None:
        """Where the installation was up the last time; None if it never was."""
        try:
            text = self._port_file.read_text().strip()
        except OSError:
            return None
        return int(text) if text.isdecimal() and 0 < int(text) < 1 << 16 else None

    def remove_run_folder(self) -> None:
        """When nothing runs any more: sockets that a killed process left, and the folder in /tmp."""
        shutil.rmtree(self._run_folder(), ignore_errors=True)

    def run_folder(self) -> Path:
        """Where sockets go: `run/`, or a private folder in /tmp where that path is too long for a socket."""
        run = self._run_folder()
        run.mkdir(mode=0o700, exist_ok=True)
        status = run.stat(follow_symlinks=False)
        if status.st_uid != os.getuid() or not stat.S_ISDIR(status.st_mode) or stat.S_IMODE(status.st_mode) & 0o077:
            raise FolderNotOurs(f"{run} belongs to somebody else or is open to others; remove it", folder=str(run))
        return run

    def _run_folder(self) -> Path:
        run = self.root / "run"
        if len(os.fsencode(run)) + len(LONGEST_SOCKET) > MAX_UNIX_PATH:
            digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
            run = Path(tempfile.gettempdir()) / f"modelyard-{os.getuid()}-{digest}"
        return run

    def _check(self) -> None:
        if not self.root.exists():
            return
        if not self.root.is_dir():
            raise FolderNotOurs(f"{self.root} is not a folder; choose another with --dir", folder=str(self.root))
        if self._stamp_file.exists():
            stamp = self._read_stamp()
            if stamp["format"] > FORMAT:
                raise FolderTooNew(
                    f"{self.root} was written by modelyard {stamp['version']} (format {stamp['format']}); "
                    f"this is {version('modelyard')} (format {FORMAT}): install that version, or choose another --dir",
                    folder=str(self.root),
                )
        elif any(path.name not in _FIRST for path in self.root.iterdir()):
            raise FolderNotOurs(
                f"{self.root} is not empty and is not a data folder of modelyard; choose another with --dir",
                folder=str(self.root),
            )

    def _read_stamp(self) -> dict[str, Any]:
        try:
            stamp: dict[str, Any] = json.loads(self._stamp_file.read_text())
            if isinstance(stamp["format"], int) and isinstance(stamp["version"], str):
                return stamp
        except (ValueError, KeyError, TypeError):
            pass
        raise FolderNotOurs(f"{self._stamp_file} is damaged; restore it or choose another --dir", folder=str(self.root))

    def _stamp(self) -> None:
        """The stamp first: a folder that has it is known again, however far the first start came."""
        replace_file(self._stamp_file, json.dumps({"version": version("modelyard"), "format": FORMAT}))
        for name in _PARTS:
            self.part(name).mkdir(mode=0o700, exist_ok=True)


def _locked(lock: int) -> bool:
    """Whether the lock is this process's now. Who looks whether somebody holds it, holds it for a moment."""
    for pause_s in (0.01, 0.05, 0.2, 0.0):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(pause_s)
        else:
            return True
    return False
