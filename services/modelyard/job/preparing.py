"""Has a dataset's index made by a process apart, which gets the packs to read, one folder to write and nothing else.

await index_apart(folder, entries, Tier.FOREIGN, progress=show, said=reporter.line)
"""

import asyncio
import json
import os
import shutil
import signal
import stat
import sys
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelyard.foundation.errors import FailedPrecondition
from modelyard.foundation.sandbox.confined import Confined
from modelyard.foundation.sandbox.policy import End, EndKind, Limits, Sandbox, Tier
from modelyard.job.index import INDEX_FILE, PROBLEMS_FILE
from modelyard.job.indexing import MAX_OPEN_FILES, TREE_FILE, write_tree
from modelyard.job.messages import FailureClass
from modelyard.job.packs import PACKS_FOLDER
from modelyard.job.writing import UNPACKED_FOLDER
from modelyard.layouts.shown import is_shown
from modelyard.tree import Entry

MEMORY_BYTES = 2 << 30
_PARTS = ("columns", "origins", UNPACKED_FOLDER, PROBLEMS_FILE, INDEX_FILE)
"""The index file last: a folder that has it is complete."""
_TARGET = ".index"
_UNPACKED_TIMES, _UNPACKED_BYTES = 32, 1 << 30
"""What is written may be so many times as large as the packs, and a little more."""
_MAX_FILES, _MAX_PIDS = 50_000, 256
_LEAST_S, _BYTES_A_SECOND = 600.0, 1_000_000
_MAX_LINES = 100_000

Progress = Callable[[int, int], None]
"""Bytes of the packs that are done, and all of them."""


class NotIndexed(FailedPrecondition):
    """The data can't be used, or not here; `failure` says whose fault it is."""

    reason = "DATASET_NOT_INDEXED"

    def __init__(self, failure: FailureClass, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.failure = failure
        self.detail = detail


@dataclass
class _Heard:
    """What the process says, taken with care: it reads a stranger's data."""

    show: Callable[[float], None]
    said: Callable[[str], None]
    lines: int = 0
    complete: bool = False
    failed: NotIndexed | None = None
    last: deque[str] = field(default_factory=lambda: deque(maxlen=20))

    def __call__(self, stream: str, line: str) -> None:
        self.lines += 1
        if stream != "stdout" or self.lines > _MAX_LINES:
            self.last.append(line)
            return
        try:
            ((kind, values),) = json.loads(line).items()
            self._take(kind, values)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self.last.append(line[:200])

    def _take(self, kind: str, values: dict[str, Any]) -> None:
        match kind:
            case "progress":
                done, total = int(values["done"]), int(values["total"])
                self.show(min(1.0, max(0.0, done / total)) if total else 0.0)
            case "problems":
                first = [_plain(problem) for problem in values["first"][:10]]
                count = int(values["count"])
                self.said(f"{count} example{'s' if count != 1 else ''} of the dataset can't be used and {_are(count)}")
                for problem in first:
                    self.said(f"  {problem}")
                if count > len(first):
                    self.said(f"  … and {count - len(first)} more")
            case "failed":
                self.failed = NotIndexed(FailureClass(values["failure"]), _plain(values["message"]))
            case "done":
                self.complete = True


def _are(count: int) -> str:
    return "are left out:" if count != 1 else "is left out:"


def _plain(text: object) -> str:
    return "".join(each if is_shown(each) else " " for each in str(text)[:2000])


async def index_apart(
    folder: Path,
    entries: Iterable[Entry],
    tier: Tier,
    *,
    limits: Limits | None = None,
    progress: Progress = lambda done, total: None,
    said: Callable[[str], None] = lambda line: None,
) -> None:
    """Index the prepared dataset in `folder`, whose packs are there already; `said` hears what a log should have.

    `limits` are a job's: this takes no more. Raises NotIndexed, and SandboxUnavailable before anything runs.
    """
    folder, total = await asyncio.to_thread(_begin, folder, entries)
    target = folder / _TARGET
    heard = _Heard(lambda part: progress(int(part * total), total), said)
    command = [sys.executable, "-m", "modelyard.job.indexing", str(folder), str(target)]
    child = await Confined.start(
        Sandbox(
            tier,
            readable=(folder / PACKS_FOLDER, folder / TREE_FILE),
            writable=(target,),
            limits=_limits(limits or Limits(), total),
        ),
        command,
        environment={"LANG": "C.UTF-8", "HOME": str(target), "TMPDIR": str(target), "OPENBLAS_NUM_THREADS": "1"},
        cwd=target,
        on_line=heard,
    )
    try:
        end = await child.wait()
    finally:
        if child.running:
            child.kill()
            await child.wait()
    if not (end.ok and heard.complete):
        raise _failed(end, heard)
    await asyncio.to_thread(_take_over, folder, target)
    progress(total, total)


def _begin(folder: Path, entries: Iterable[Entry]) -> tuple[Path, int]:
    """The folder's whole path, and how many bytes its packs have."""
    folder = folder.resolve()
    write_tree(folder, entries)
    (folder / _TARGET).mkdir()
    return folder, sum(path.stat().st_size for path in (folder / PACKS_FOLDER).iterdir())


def _limits(job: Limits, packs_bytes: int) -> Limits:
    disk = _UNPACKED_TIMES * packs_bytes + _UNPACKED_BYTES
    disk = min(disk, job.disk_bytes or disk)
    return Limits(
        memory_bytes=min(MEMORY_BYTES, job.memory_bytes or MEMORY_BYTES),
        pids=_MAX_PIDS,
        file_bytes=disk,
        disk_bytes=disk,
        disk_files=_MAX_FILES,
        open_files=MAX_OPEN_FILES,
        wall_s=_LEAST_S + packs_bytes / _BYTES_A_SECOND,
    )


def _failed(end: End, heard: _Heard) -> NotIndexed:
    """Why there is no index."""
    detail = "\n".join(heard.last)
    what = "the dataset can't be read"
    if end.kind is EndKind.OOM_KILLED:
        failure, text = FailureClass.HOST_OOM, f"{what}: {end.message}; smaller files, or smaller row groups, need less"
        return NotIndexed(failure, text, detail)
    if end.kind is EndKind.DISK_QUOTA:
        text = f"{what}: it unpacks to more than {_UNPACKED_TIMES} times its size ({end.message})"
        return NotIndexed(FailureClass.INVALID_DATA, text, detail)
    if end.kind is not EndKind.EXITED:
        crashed = end.kind is EndKind.SIGNAL and end.exit.signal is not signal.SIGKILL
        failure = FailureClass.INTERNAL if end.exit.signal is signal.SIGKILL else FailureClass.INVALID_DATA
        if end.kind is EndKind.TIMEOUT:
            failure = FailureClass.INVALID_DATA
        text = f"{what}: {'the library that decodes it crashed; ' if crashed else ''}{end.message}"
        return NotIndexed(failure, text, detail)
    if heard.failed is not None:
        return NotIndexed(heard.failed.failure, heard.failed.message, detail)
    return NotIndexed(
        FailureClass.INTERNAL, f"{what}: the process that reads it {end.message.removeprefix('it ')}", detail
    )


def _take_over(folder: Path, target: Path) -> None:
    """What it has written becomes a part of the folder, once it is known to be files and folders and nothing else."""
    _check(target)
    for name in _PARTS:
        if (target / name).exists():
            (target / name).rename(folder / name)
    shutil.rmtree(target)
    (folder / TREE_FILE).unlink()


def _check(folder: Path) -> None:
    """The process has ended with all that it started: nothing changes any more."""
    folders = [folder]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                about = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(about.st_mode):
                    folders.append(Path(entry.path))
                elif not stat.S_ISREG(about.st_mode) or about.st_nlink != 1:
                    raise NotIndexed(
                        FailureClass.INVALID_DATA,
                        "the dataset can't be read: the process that reads it was misled and left what is no file",
                    )
