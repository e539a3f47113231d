"""What must be true before anything is downloaded. Each check answers None, or a sentence that says what to do."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import socket
import sys
from pathlib import Path
from typing import Sequence  # noqa: UP035 - Python 3.8 reads this

OLDEST, NEWEST = (3, 11), (3, 13)
OLDEST_GLIBC = (2, 31)
DISK_GB = {"": 6, "gpu": 16}
ENVIRONMENT_GB = 3
"""What an environment that is there already has taken of it."""
NEEDED_MODULES = ("venv", "ensurepip", "ssl", "ctypes", "sqlite3")


def supported(version: Sequence[int]) -> bool:
    return OLDEST <= tuple(version[:2]) <= NEWEST


def machine_problem(system: str, machine: str, libc: tuple[str, str]) -> str | None:
    if system != "Linux" or machine not in ("x86_64", "aarch64"):
        return (
            f"this is {system} on {machine}; the services run on Linux, x86-64 or arm64. "
            "For the command line and the Python client alone, run: pip install ."
        )
    name, version = libc
    if name != "glibc" or tuple(int(part) for part in version.split(".")[:2]) < OLDEST_GLIBC:
        return (
            f"the C library is {name or 'not glibc'} {version}".rstrip()
            + "; TensorFlow needs glibc 2.31 or newer (Debian 11, Ubuntu 20.04, RHEL 9)"
        )
    return None


def modules_problem(missing: Sequence[str], python: str) -> str | None:
    if not missing:
        return None
    return (
        f"this Python lacks {', '.join(missing)}; on Debian or Ubuntu run: apt-get install python{python}-venv "
        "(or name a complete one: PYTHON=/path/to/python3.12)"
    )


def disk_problem(free_bytes: int, needed_gb: int, folder: Path) -> str | None:
    if free_bytes >= needed_gb * 10**9:
        return None
    return (
        f"{folder} has {free_bytes / 1e9:.1f} GB free and set-up needs {needed_gb} GB; "
        "free some, or clone onto a larger disk"
    )


def port_problem(port: str) -> str | None:
    if not port.isdigit() or not 1 <= int(port) <= 65535:
        return f"PORT={port} is not a port; choose a number from 1 to 65535"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(port)))
        except OSError as error:
            return (
                f"the demo's port {port} on 127.0.0.1 cannot be had ({error.strerror}); stop what uses it "
                f"(an earlier demo: make demo-down), or choose another: make demo PORT={int(port) % 65535 + 1}"
            )
    return None


def installer_problem(installer: str, uv: str | None) -> str | None:
    if installer not in ("", "pip", "uv"):
        return f"INSTALLER={installer} is not known; leave it out, or use INSTALLER=pip or INSTALLER=uv"
    if installer == "uv" and uv is None:
        return "INSTALLER=uv, and no uv is found; name it (UV=/path/to/uv), or leave INSTALLER out: pip does it too"
    return None


def problems(root: Path, extras: str, port: str | None) -> list[str]:
    """All that stands in the way of a set-up in `root`; `port` only where a demo follows."""
    missing = [name for name in NEEDED_MODULES if importlib.util.find_spec(name) is None]
    needed_gb = DISK_GB[extras] - (ENVIRONMENT_GB if (root / ".venv").exists() else 0)
    found = [
        machine_problem(platform.system(), platform.machine(), platform.libc_ver()),
        modules_problem(missing, "{}.{}".format(*sys.version_info)),
        disk_problem(shutil.disk_usage(root).free, needed_gb, root),
        port_problem(port) if port else None,
        installer_problem(os.environ.get("INSTALLER", ""), shutil.which(os.environ.get("UV") or "uv")),
    ]
    return [problem for problem in found if problem]
