"""A control group for one program: the kernel counts its memory and its processes, and keeps them below a limit.

Where there are groups for the CPU too, a program gets as much of it as any other, however many processes it has.

Version 2 needs a subtree that was delegated to us (systemd: Delegate=yes), version 1 a writable place below our own
group. Where there is neither, others have to watch.
"""

import contextlib
import errno
import itertools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_CONTROLLERS = ("memory", "pids")
_CPU = "cpu"
_INNER = "modelyard"
_MOUNTS, _OWN = Path("/proc/self/mountinfo"), Path("/proc/self/cgroup")
_number = itertools.count(1)
_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Place:
    """Where groups can be made: for version 2 both controllers have the same folder."""

    version: int
    memory: Path
    pids: Path
    cpu: Path | None = None
    """None: the CPU is shared out by thread, or by session, and one program can take almost all of it."""

    @property
    def kind(self) -> str:
        return f"v{self.version}"


def find(mounts: Path = _MOUNTS, own: Path = _OWN, *, prepare: bool = True) -> Place | None:
    """Our own group's place; None where we may not make groups with both controllers.

    `prepare` makes it ready, which may move the processes of this delegation one level down; else this only looks.
    """
    groups = dict(_own_groups(own.read_text()))
    for version, _, root, point in _hierarchies(mounts.read_text()):
        if version == 2 and "" in groups:
            folder = _below(point, root, groups[""])
            if folder is not None and _ready_v2(folder.parent if folder.name == _INNER else folder, prepare=prepare):
                folder = folder.parent if folder.name == _INNER else folder
                return Place(2, folder, folder, folder if _shares_cpu(folder, prepare=prepare) else None)
    places = {}
    for version, controllers, root, point in _hierarchies(mounts.read_text()):
        for name in (*_CONTROLLERS, _CPU):
            if version == 1 and name in controllers and name in groups:
                folder = _below(point, root, groups[name])
                places[name] = folder if folder is not None and os.access(folder, os.W_OK) else None
    memory, pids = places.get("memory"), places.get("pids")
    if memory is None or pids is None:
        return None
    return Place(1, memory, pids, places.get(_CPU))


class Group:
    """One program's group. Remove it once nothing runs in it."""

    def __init__(self, place: Place, *, memory_bytes: int, pids: int) -> None:
        name = f"modelyard-{os.getpid()}-{next(_number)}"
        self._version = place.version
        self._memory, self._pids = place.memory / name, place.pids / name
        # As new ones they weigh the same, and that is all that is wanted of the CPU's.
        shares = () if place.cpu is None else (place.cpu / name,)
        self.folders = tuple(dict.fromkeys((self._memory, self._pids, *shares)))
        for folder in self.folders:
            folder.mkdir()
        try:
            if memory_bytes:
                self._limit_memory(memory_bytes)
            if pids:
                (self._pids / "pids.max").write_text(str(pids))
        except OSError:
            self.remove()
            raise

    def _limit_memory(self, count: int) -> None:
        if self._version == 2:
            (self._memory / "memory.max").write_text(str(count))
            swap = self._memory / "memory.swap.max"
            if swap.exists():
                swap.write_text("0")
            return
        (self._memory / "memory.limit_in_bytes").write_text(str(count))
        both = self._memory / "memory.memsw.limit_in_bytes"
        if both.exists():
            both.write_text(str(count))

    @property
    def doors(self) -> list[Path]:
        """Files to which a process writes 0 to enter."""
        return [folder / "cgroup.procs" for folder in self.folders]

    @property
    def oom_kills(self) -> int:
        return _counter(self._memory / ("memory.events" if self._version == 2 else "memory.oom_control"), "oom_kill")

    @property
    def refused_processes(self) -> int:
        """How often a process or a thread was not made because there were too many."""
        return _counter(self._pids / "pids.events", "max")

    def processes(self) -> list[int]:
        return [int(line) for line in (self._pids / "cgroup.procs").read_text().split()]

    def kill(self) -> None:
        """SIGKILL to all that is in it."""
        if self._version == 2 and (self._pids / "cgroup.kill").exists():
            (self._pids / "cgroup.kill").write_text("1")
            return
        for process in self.processes():
            try:
                os.kill(process, 9)
            except ProcessLookupError:
                continue

    def remove(self) -> bool:
        """Whether it could be: not while a process that has ended has not been taken away."""
        for folder in self.folders:
            try:
                folder.rmdir()
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno == errno.EBUSY:
                    return False
                raise
        return True


def remove_stale(place: Place) -> None:
    """Groups of workers that were killed."""
    places = {path for path in (place.memory, place.pids, place.cpu) if path is not None}
    for folder in (group for path in places for group in path.glob("modelyard-*-*")):
        owner = folder.name.split("-")[1]
        if owner.isdigit() and not Path("/proc", owner).exists() and not (folder / "cgroup.procs").read_text():
            with contextlib.suppress(FileNotFoundError):  # another worker was faster
                folder.rmdir()


def _own_groups(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for name in controllers.split(","):
            yield name, path


def _hierarchies(text: str) -> Iterator[tuple[int, list[str], str, Path]]:
    """Version, options, root within the hierarchy, mount point."""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ", 2)
        if kind in ("cgroup", "cgroup2"):
            _, _, _, root, point, *_ = before.split(" ")
            yield 2 if kind == "cgroup2" else 1, options.split(","), _plain(root), Path(_plain(point))


def _plain(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), text)


def _below(point: Path, root: str, path: str) -> Path | None:
    """Our group as seen at this mount; None when it is not beneath what is mounted there."""
    if not path.startswith(root):
        return point if path == "/" else None
    folder = point / path.removeprefix(root).lstrip("/")
    return folder if folder.is_dir() else None


def _ready_v2(folder: Path, *, prepare: bool) -> bool:
    """Whether groups made in it have, or could have, both controllers."""
    switch = folder / "cgroup.subtree_control"
    if not os.access(folder, os.W_OK) or not os.access(switch, os.W_OK):
        return False
    if not set(_CONTROLLERS) <= set((folder / "cgroup.controllers").read_text().split()):
        return False
    if set(_CONTROLLERS) <= set(switch.read_text().split()):
        return True
    occupied = (folder / "cgroup.type").exists() and (folder / "cgroup.procs").read_text().strip() != ""
    if occupied and not _delegated(folder):
        return False
    if not prepare:
        return True
    if occupied:
        # A group with processes can't share out controllers: those of this delegation move one level down.
        inner = folder / _INNER
        inner.mkdir(exist_ok=True)
        for process in (folder / "cgroup.procs").read_text().split():
            (inner / "cgroup.procs").write_text(process)
    switch.write_text(" ".join(f"+{name}" for name in _CONTROLLERS))
    return True


def _shares_cpu(folder: Path, *, prepare: bool) -> bool:
    """Whether groups made in this one, which is ready, have the CPU's controller, or could have it."""
    switch = folder / "cgroup.subtree_control"
    if _CPU in switch.read_text().split():
        return True
    if _CPU not in (folder / "cgroup.controllers").read_text().split():
        return False
    if prepare:
        try:
            switch.write_text(f"+{_CPU}")
        except OSError:
            # Not beside programs in real time, on some kernels.
            return False
    return True


def _delegated(folder: Path) -> bool:
    """systemd says so in an attribute; in a container, which sees no further, the top is ours."""
    if not (folder.parent / "cgroup.procs").exists():
        return True
    return not {"user.delegate", "trusted.delegate"}.isdisjoint(os.listxattr(folder))


def _counter(file: Path, name: str) -> int:
    for line in file.read_text().splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0
