"""Landlock: which parts of the file system a program sees (linux/landlock.h).

No library: landlock 1.0.0.dev5 knows the first ABIs only, and what it takes is three system calls. The rules are made
here, the calls are in stage.py, which imports nothing of ours.
"""

import ctypes
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypedDict

_CREATE_RULESET = 444
_ASK_VERSION = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_MAKE_DEVICES = 1 << 6 | 1 << 11
_HANDLED = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
"""ABI -> what it can restrict; later ABIs restrict the same."""
_NETWORK_SINCE, _TCP = 4, 0b11
"""BIND_TCP and CONNECT_TCP."""
_SCOPES_SINCE, _SCOPES = 6, 0b11
"""No abstract unix sockets and no signals to the outside."""


class Ruleset(TypedDict):
    """For stage.py."""

    filesystem: int
    network: int
    scopes: int
    rules: list[tuple[str, int]]
    """Path, what is allowed beneath it."""


def abi() -> int:
    """Version that this kernel has; 0: none, or it is switched off."""
    libc = ctypes.CDLL(None, use_errno=True)
    return max(0, int(libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_ASK_VERSION))))


def ruleset(
    version: int,
    readable: Iterable[Path],
    writable: Iterable[Path],
    devices: Iterable[Path],
    *,
    listed: Iterable[Path] = (),
    network: bool,
) -> Ruleset:
    """Everything else is out of reach; of `listed` only the names are not. Paths that do not exist are left out."""
    handled = _HANDLED[min(version, max(_HANDLED))]
    readable, writable = list(readable), list(writable)
    rules = dict.fromkeys(listed, _READ_DIR) | dict.fromkeys(readable, _READ)
    for folder in writable:
        rules |= dict(_writable(folder, readable, handled & ~_MAKE_DEVICES))
    rules |= dict.fromkeys(devices, _READ_FILE | _READ_DIR | _WRITE_FILE | _TRUNCATE | _IOCTL_DEV)
    return {
        "filesystem": handled,
        "network": _TCP if version >= _NETWORK_SINCE and not network else 0,
        "scopes": _SCOPES if version >= _SCOPES_SINCE else 0,
        "rules": [(str(path), mask) for path, allowed in rules.items() if (mask := _fitting(path, allowed & handled))],
    }


def scopes_only(version: int) -> Ruleset | None:
    """For a program whose file system is one of its own."""
    if version < _SCOPES_SINCE:
        return None
    return {"filesystem": 0, "network": 0, "scopes": _SCOPES, "rules": []}


def _writable(folder: Path, readable: list[Path], everything: int) -> Iterator[tuple[Path, int]]:
    """Rules only ever add: a folder that holds a read-only one can't be writable as a whole."""
    if folder in readable:
        return
    if not any(path.is_relative_to(folder) for path in readable):
        yield folder, everything
        return
    yield folder, _READ
    for child in sorted(folder.iterdir()):
        if not child.is_symlink():
            yield from _writable(child, readable, everything)


def _fitting(path: Path, allowed: int) -> int:
    """The kernel refuses a rule that speaks of folders where there is a file."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return 0
    return allowed if stat.S_ISDIR(mode) else allowed & _OF_FILES
