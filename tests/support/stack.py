"""A whole installation, started as a user starts it, and real digits to put into it."""

import inspect
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from modelyard.local.folder import DataFolder
from modelyard.sdk import gallery
from tests.support.ports import free_port

T = TypeVar("T")

START_TIMEOUT_S = 240
COMMAND_TIMEOUT_S = 240


@dataclass(frozen=True, slots=True)
class Stack:
    """An installation that is up, and the command line that speaks to it."""

    home: Path
    """The folder that commands run in; the data folder is `.modelyard` below it."""
    port: int

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def folder(self) -> Path:
        return self.home / ".modelyard"

    @property
    def token(self) -> str:
        return (self.folder / "token").read_text().strip()

    def run(
        self, *arguments: str, status: int | None = 0, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """`modelyard …` in `home`; checks the exit status unless `status` is None."""
        done = subprocess.run(
            [sys.executable, "-m", "modelyard.cli", *arguments],
            cwd=self.home,
            env=plain_environment() | (environment or {}),
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=False,
        )
        if status is not None:
            assert done.returncode == status, f"{arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def json(self, *arguments: str) -> Any:
        """What a command says with `-o json`."""
        return json.loads(self.run(*arguments, "-o", "json").stdout)

    def log(self, process: str) -> str:
        """What a process has logged."""
        return (self.folder / "logs" / f"{process}.log").read_text()

    def pids(self, module: str) -> list[int]:
        """Of this installation's processes of `python -m {module}`, or of a program of that name."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                words = _command_line(entry)
                mine = any(str(self.home) in word for word in words)
                if mine and (module in words or words[0].endswith(f"/{module}")):
                    found.append(int(entry.name))
        return sorted(found)

    def kill(self, module: str) -> None:
        """`kill -9` of its one process."""
        (pid,) = self.pids(module)
        os.kill(pid, signal.SIGKILL)

    def supervisor(self) -> int | None:
        """The pid of `modelyard up`; None while it does not run."""
        return DataFolder(self.folder).supervisor()

    def processes(self) -> dict[int, str]:
        """The command line of everything that this installation has started, by pid; this test's own are left out."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid() and self._is_mine(entry):
                found[int(entry.name)] = " ".join(_command_line(entry))
        return found

    def up(self, *arguments: str, environment: dict[str, str] | None = None) -> None:
        """`modelyard up --detach` at this port."""
        self.run("up", "--detach", "--port", str(self.port), *arguments, environment=environment)

    def _is_mine(self, entry: Path) -> bool:
        try:
            place = str((entry / "cwd").readlink())
            words = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except OSError:
            return False  # it has ended
        return bool(words) and (place.startswith(str(self.folder)) or os.fsencode(self.folder) in words)


def plain_environment() -> dict[str, str]:
    """What a user's shell has, without this repository's or this test run's settings."""
    kept = ("PATH", "HOME", "LANG", "XDG_CACHE_HOME", "TMPDIR")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"COLUMNS": "160", "NO_COLOR": "1"}


@contextmanager
def running_stack(home: Path, *arguments: str, environment: dict[str, str] | None = None) -> Iterator[Stack]:
    """`modelyard up --detach`, and `modelyard down` at the end."""
    home.mkdir(parents=True, exist_ok=True)
    stack = Stack(home, free_port())
    stack.up(*arguments, environment=environment)
    try:
        yield stack
    finally:
        stack.run("down", status=None)
        left = stack.processes()
        assert not left, f"still there after `modelyard down`: {left}"


def until(condition: Callable[[], T | None], timeout_s: float = 10.0) -> T:
    """What `condition` answers, once that is true."""
    deadline = time.monotonic() + timeout_s
    while True:
        if answer := condition():
            return answer
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {inspect.getsource(condition).strip()}"
        time.sleep(0.05)  # between looks


def write_digits(folder: Path, count: int, *, start: int = 0) -> None:
    """`count` of MNIST's training images as class/number.png."""
    cached = gallery.find("mnist").fetch()
    images = np.frombuffer((cached / "train-images-idx3-ubyte").read_bytes(), np.uint8, offset=16).reshape(-1, 28, 28)
    labels = np.frombuffer((cached / "train-labels-idx1-ubyte").read_bytes(), np.uint8, offset=8)
    for number in range(start, start + count):
        place = folder / str(labels[number]) / f"{number:05}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[number]).save(place)


def held_out(count: int) -> tuple[Any, list[int]]:
    """The first of MNIST's test images, uint8 [count, 28, 28, 1], and their labels."""
    cached = gallery.find("mnist").fetch()
    images = np.frombuffer((cached / "t10k-images-idx3-ubyte").read_bytes(), np.uint8, offset=16)
    labels = np.frombuffer((cached / "t10k-labels-idx1-ubyte").read_bytes(), np.uint8, offset=8)
    return images.reshape(-1, 28, 28, 1)[:count], labels[:count].tolist()


def remove(folder: Path) -> None:
    """A data folder that is no longer needed."""
    shutil.rmtree(folder, ignore_errors=True)


def _command_line(entry: Path) -> list[str]:
    try:
        return (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []
