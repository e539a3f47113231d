"""A folder of immutable trees, each under its digest, up to a size.

cache/.lock                held by the process that uses the folder
cache/.building/<id>/      being filled; swept at the next start
cache/.trash/<id>/         being deleted; likewise
cache/<hex digest>/tree/   complete and on disk
cache/<hex digest>/entry.json   its size; its modification time is its last use
"""

import asyncio
import fcntl
import json
import logging
import os
import re
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from modelyard.foundation.errors import FailedPrecondition, ResourceExhausted
from modelyard.foundation.ids import new_uid

log = logging.getLogger(__name__)

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")

Build = Callable[[Path], Awaitable[None]]
"""Fills the empty folder it is given, and verifies what it wrote; raising leaves nothing behind."""


class CacheInUse(FailedPrecondition):
    reason = "CACHE_IN_USE"


class CacheFull(ResourceExhausted):
    reason = "CACHE_FULL"


@dataclass(slots=True)
class _Entry:
    bytes: int
    used: int


class FolderCache:
    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._pins: Counter[str] = Counter()
        self._building: dict[str, asyncio.Lock] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(folder)
        for name in (".building", ".trash"):
            shutil.rmtree(folder / name, ignore_errors=True)
            (folder / name).mkdir()
        self._entries = _read_entries(folder)
        self._last_use = max((entry.used for entry in self._entries.values()), default=0)

    def close(self) -> None:
        os.close(self._lock)

    @property
    def total_bytes(self) -> int:
        return sum(entry.bytes for entry in self._entries.values())

    def has(self, digest: str) -> bool:
        return _key(digest) in self._entries

    def digests(self) -> list[str]:
        """What is here, least recently used first."""
        return [f"sha256:{key}" for key in sorted(self._entries, key=lambda key: self._entries[key].used)]

    @asynccontextmanager
    async def pinned(self, digest: str, size_bytes: int, build: Build) -> AsyncIterator[Path]:
        """The folder of the tree, built when it is not here; it stays while the block runs.

        `size_bytes` is how large the tree will be: room is made before it is built. Two callers build it once.
        """
        key = _key(digest)
        self._pins[key] += 1
        try:
            async with self._building.setdefault(key, asyncio.Lock()):
                if key not in self._entries:
                    await self._build(key, size_bytes, build)
                self._touch(key)
            yield self._folder / key / "tree"
        finally:
            self._pins[key] -= 1
            if not self._pins[key]:
                del self._pins[key]
                self._building.pop(key, None)

    async def remove(self, digest: str) -> bool:
        """Drops a tree that nobody uses (a damaged one); False when it is pinned or not here."""
        key = _key(digest)
        if key not in self._entries or self._pins[key]:
            return False
        await self._drop(key)
        return True

    async def _build(self, key: str, size_bytes: int, build: Build) -> None:
        await self._make_room(size_bytes)
        temporary = self._folder / ".building" / new_uid()
        tree = temporary / "tree"
        tree.mkdir(parents=True)
        try:
            await build(tree)
            size = await asyncio.to_thread(_seal, temporary)
        except BaseException:
            await asyncio.to_thread(shutil.rmtree, temporary, ignore_errors=True)
            raise
        temporary.rename(self._folder / key)
        _sync_folder(self._folder)
        self._entries[key] = _Entry(size, 0)

    async def _make_room(self, size_bytes: int) -> None:
        while (full := self.total_bytes + size_bytes > self._max_bytes) or size_bytes > self._free:
            idle = [key for key in self._entries if not self._pins[key]]
            if idle:
                await self._drop(min(idle, key=lambda key: self._entries[key].used))
            elif full:
                raise CacheFull(
                    f"{size_bytes} bytes do not fit: {self.total_bytes} of {self._max_bytes} are in use; "
                    "allow a larger cache or wait until something ends",
                    needed_bytes=str(size_bytes),
                    max_bytes=str(self._max_bytes),
                )
            else:
                raise CacheFull(
                    f"the disk of {self._folder} has {self._free} bytes left and {size_bytes} are needed; "
                    "free some space",
                    needed_bytes=str(size_bytes),
                )

    @property
    def _free(self) -> int:
        return shutil.disk_usage(self._folder).free

    async def _drop(self, key: str) -> None:
        trash = self._folder / ".trash" / new_uid()
        del self._entries[key]
        (self._folder / key).rename(trash)
        await asyncio.to_thread(shutil.rmtree, trash, ignore_errors=True)
        log.info("tree dropped from the cache", extra={"digest": f"sha256:{key}"})

    def _touch(self, key: str) -> None:
        # Not the kernel's own "now": it ticks every few milliseconds, and then two uses look like one.
        self._last_use = max(time.time_ns(), self._last_use + 1)
        self._entries[key].used = self._last_use
        os.utime(self._folder / key / "entry.json", ns=(self._last_use, self._last_use))


def _key(digest: str) -> str:
    match = _DIGEST.fullmatch(digest)
    if match is None:
        raise ValueError(f"{digest!r} is not a digest")
    return match[1]


def _locked(folder: Path) -> int:
    descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise CacheInUse(
            f"the cache {folder} is in use by another process; give this one a folder of its own"
        ) from None
    return descriptor


def _read_entries(folder: Path) -> dict[str, _Entry]:
    entries = {}
    for path in folder.iterdir():
        marker = path / "entry.json"
        if not _DIGEST.fullmatch(f"sha256:{path.name}"):
            continue
        if not marker.is_file():
            raise FailedPrecondition(f"{path} is not an entry of this cache; remove it")
        entries[path.name] = _Entry(json.loads(marker.read_text())["bytes"], marker.stat().st_mtime_ns)
    return entries


def _seal(temporary: Path) -> int:
    """Brings the tree to the disk and writes its marker; returns its size in bytes."""
    size = 0
    for folder, _, files in os.walk(temporary, topdown=False):
        for name in files:
            descriptor = os.open(Path(folder) / name, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                os.fsync(descriptor)
                size += os.fstat(descriptor).st_size
            finally:
                os.close(descriptor)
        _sync_folder(Path(folder))
    marker = temporary / "entry.json"
    with marker.open("w") as file:
        json.dump({"bytes": size}, file)
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(temporary)
    return size


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
