"""Looks at a running program and says when it has taken more than it may."""

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from modelyard.foundation.sandbox import tree
from modelyard.foundation.sandbox.cgroups import Group
from modelyard.foundation.sandbox.policy import EndKind, Limits

_PAUSE_S = 0.25
_SCAN_SHARE, _IDLE_SHARE = 10, 30
"""Looking through the folders may take one part in so many of the time; while no file system fills up, this one."""
_SCAN_EVERY_S = 1.0
"""Also then: somebody else may have freed as much as this program has written."""
_PATIENCE_S = 1.0
"""For so long a program may go on asking for processes it does not get."""
_BOMB = 2
"""So many times its limit, where nothing but us keeps a program from it, is no mistake."""
_INODE_BYTES = 1536
"""What an empty file in memory costs the kernel, about."""

Excess = tuple[EndKind, str]


@dataclass(slots=True)
class Watch:
    limits: Limits
    writable: tuple[Path, ...]
    group: Group | None
    processes: Callable[[], list[int]]
    memory_folders: tuple[str, ...] = ()
    """Folders inside that lie in memory, as seen from outside."""
    _started: float = field(default_factory=time.monotonic)
    _refused_since: float | None = None
    _refused: int = 0
    _crowded: bool = False
    _soonest_scan: float = 0.0
    _next_scan: float = 0.0
    _scan_by: float = 0.0
    _lay: tuple[int, int] = (0, 0)
    _room: tuple[int, int] = (0, 0)
    """Bytes and files on the file systems at the last scan, and how many more its limits left to the program."""

    async def excess(self) -> Excess:
        """Returns once there is one."""
        while True:
            found = self._time() or self._crowd() or self._memory() or await self._disk_now_and_then()
            if found is not None:
                return found
            await asyncio.sleep(_PAUSE_S)  # between looks

    async def afterwards(self, *, failed: bool, left: int) -> Excess | None:
        """What explains its end. `failed`: not with status 0; `left`: so many processes outlived it."""
        crowded = self._crowded or bool(self.limits.pids and left + 1 >= self.limits.pids)
        if failed and self.group is not None and self.group.oom_kills:
            return self._too_much_memory()
        if failed and (crowded or (self.group is not None and self.group.refused_processes)):
            return self._too_many()
        return await self._disk(failed=failed)

    def _time(self) -> Excess | None:
        limit = self.limits.wall_s
        if limit and time.monotonic() - self._started > limit:
            return EndKind.TIMEOUT, f"it was not done after {limit:g} s"
        return None

    def _memory(self) -> Excess | None:
        if not self.limits.memory_bytes:
            return None
        if self.group is not None:
            return self._too_much_memory() if self.group.oom_kills else None
        used = tree.resident_bytes(self.processes()) + sum(map(_held_by, self.memory_folders))
        return self._too_much_memory() if used > self.limits.memory_bytes else None

    def _crowd(self) -> Excess | None:
        """Too many for a while: one that was refused a thread may well go on with fewer."""
        if not self.limits.pids:
            return None
        if self.group is not None:
            refused = self.group.refused_processes
            more, self._refused = refused > self._refused, refused
        else:
            count = tree.threads(self.processes())
            if count > _BOMB * self.limits.pids:
                return self._too_many()
            more = count >= self.limits.pids
        self._crowded = self._crowded or more
        now = time.monotonic()
        if not more:
            self._refused_since = None
        elif self._refused_since is None:
            self._refused_since = now
        elif now - self._refused_since > _PATIENCE_S:
            return self._too_many()
        return None

    async def _disk_now_and_then(self) -> Excess | None:
        """Reads the folders only when so much more lies on their file systems that a limit could be near."""
        began = time.monotonic()
        if not self._is_due(began):
            return None
        found = await self._disk(failed=False)
        ended = time.monotonic()
        took = ended - began
        self._soonest_scan, self._next_scan = ended + took, ended + _SCAN_SHARE * took
        self._scan_by = ended + max(_SCAN_EVERY_S, _IDLE_SHARE * took)
        return found

    def _is_due(self, now: float) -> bool:
        if now >= self._scan_by:
            return True
        if now < self._soonest_scan:
            return False
        more = [used - lay for used, lay in zip(self._on_disks(), self._lay, strict=True)]
        passed = any(each >= room for each, room in zip(more, self._room, strict=True))
        near = any(each >= room / 2 for each, room in zip(more, self._room, strict=True))
        return passed or (near and now >= self._next_scan)

    def _on_disks(self) -> tuple[int, int]:
        """Bytes and files on the file systems of the writable folders."""
        seen = {folder.stat().st_dev: os.statvfs(folder) for folder in self.writable}.values()
        return sum((s.f_blocks - s.f_bfree) * s.f_frsize for s in seen), sum(s.f_files - s.f_ffree for s in seen)

    async def _disk(self, *, failed: bool) -> Excess | None:
        limits = self.limits
        if not (limits.disk_bytes or limits.disk_files or limits.file_bytes):
            return None
        self._lay = self._on_disks()
        try:
            use = await asyncio.to_thread(tree.disk_use, self.writable, self.processes())
        except tree.Hidden as error:
            return EndKind.DISK_QUOTA, f"it hid what it writes in a folder that can't be looked into: {error}"
        never = 1 << 62
        self._room = (
            limits.disk_bytes - use.bytes if limits.disk_bytes else never,
            limits.disk_files - use.files if limits.disk_files else never,
        )
        if limits.disk_bytes and use.bytes > limits.disk_bytes:
            return EndKind.DISK_QUOTA, f"it wrote more than its {_size(limits.disk_bytes)} to the disk"
        if limits.disk_files and use.files > limits.disk_files:
            return EndKind.DISK_QUOTA, f"it made more than its {limits.disk_files} files"
        # The kernel has let no file become longer, and one that is as long has made it fail.
        longest = longest_file(limits)
        return too_long(limits) if failed and longest and use.largest >= longest else None

    def _too_much_memory(self) -> Excess:
        return EndKind.OOM_KILLED, f"it needed more than its {_size(self.limits.memory_bytes)} of memory"

    def _too_many(self) -> Excess:
        return EndKind.PIDS, f"it wanted more than its {self.limits.pids} processes and threads"


def too_long(limits: Limits) -> Excess | None:
    """It has met the limit on a file's length; None where there is none of ours."""
    longest = longest_file(limits)
    return (EndKind.DISK_QUOTA, f"it wanted a file longer than its {_size(longest)}") if longest else None


def longest_file(limits: Limits) -> int:
    """0: no limit."""
    return min((count for count in (limits.file_bytes, limits.disk_bytes) if count), default=0)


def _held_by(folder: str) -> int:
    """Of a folder in memory; nothing once the program is gone, or where we may not look."""
    try:
        seen = os.statvfs(folder)
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        return 0
    return (seen.f_blocks - seen.f_bfree) * seen.f_frsize + (seen.f_files - seen.f_ffree) * _INODE_BYTES


def _size(count: int) -> str:
    for unit, scale in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= scale:
            return f"{count / scale:.3g} {unit}"
    return f"{count} bytes"
