"""What an installation occupies on this machine, and what of it is still there afterwards. Linux' /proc tells."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from modelyard.local.folder import DataFolder

_PROC = Path("/proc")
_LISTENING = "0A"


@dataclass(frozen=True, slots=True)
class Footprint:
    """Taken while it is up."""

    processes: dict[int, str]
    """pid -> when it was started, in the kernel's ticks: pids are used again."""
    ports: frozenset[int]
    """TCP ports on which they listen."""
    places: tuple[Path, ...]
    """Folders with their sockets."""


def take_footprint(folder: DataFolder) -> Footprint:
    """The supervisor, everything below it, and the ports they listen on."""
    root = folder.supervisor()
    parents = {pid: _stat(pid) for pid in _pids()}
    family = {root} if root else set()
    while True:
        more = {pid for pid, fields in parents.items() if fields and int(fields[1]) in family} - family
        if not more:
            break
        family |= more
    sockets = {inode for pid in family for inode in _sockets(pid)}
    ports = frozenset(port for port, inode in _listening().items() if inode in sockets)
    return Footprint({pid: _started(pid) for pid in family}, ports, (folder.run_folder(), folder.root))


def left_behind(folder: DataFolder, footprint: Footprint | None) -> list[str]:
    """What should be gone, in words: processes, ports, sockets."""
    before = footprint or Footprint({}, frozenset(), (folder.root,))
    alive = {pid for pid, started in before.processes.items() if started and _started(pid) == started}
    alive |= {pid for pid in _pids() if str(folder.root) in _command(pid) and pid != os.getpid()}
    found = [f"process {pid}: {_command(pid)[:120]}" for pid in sorted(alive) if _runs(pid)]
    found += [f"port {port} is still listened on" for port in sorted(before.ports & _listening().keys())]
    found += sorted({f"socket {path}" for place in before.places for path in _socket_files(place)})
    stores = Path("/tmp").glob("seaweedfs-*-grpc-*.sock")
    found += [f"socket {path}" for path in stores if int(path.stem.rpartition("-")[2]) in before.ports]
    return found


def _pids() -> list[int]:
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]


def _stat(pid: int) -> list[str]:
    """State, parent and the rest, from the third field on; empty where the process is gone."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _started(pid: int) -> str:
    fields = _stat(pid)
    return fields[19] if fields else ""


def _runs(pid: int) -> bool:
    fields = _stat(pid)
    return bool(fields) and fields[0] not in "ZX"


def _command(pid: int) -> str:
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _sockets(pid: int) -> list[str]:
    """Inodes of its open sockets."""
    inodes = []
    try:
        for entry in (_PROC / str(pid) / "fd").iterdir():
            target = str(entry.readlink())
            if target.startswith("socket:["):
                inodes.append(target[8:-1])
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return inodes
    return inodes


def _listening() -> dict[int, str]:
    """TCP port -> inode of the socket that listens on it."""
    ports = {}
    for name in ("tcp", "tcp6"):
        table = _PROC / "net" / name
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            fields = line.split()
            if fields[3] == _LISTENING:
                ports[int(fields[1].rpartition(":")[2], 16)] = fields[9]
    return ports


def _socket_files(place: Path) -> list[Path]:
    return [path for path in place.rglob("*") if stat.S_ISSOCK(path.lstat().st_mode)] if place.is_dir() else []
