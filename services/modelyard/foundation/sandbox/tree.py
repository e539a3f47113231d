"""What a running program and all that it started use, as /proc tells."""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def descendants(process: int) -> list[int]:
    """Of a process, without itself."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            try:
                fields = Path("/proc", name, "stat").read_bytes().rpartition(b")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(int(fields[1]), []).append(int(name))
    found, waiting = [], [process]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def resident_bytes(processes: Iterable[int]) -> int:
    """What they hold in memory; pages that several of them share count once, where we may see which."""
    return sum(map(_resident, processes))


def _resident(process: int) -> int:
    try:
        with Path("/proc", str(process), "smaps_rollup").open() as file:
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
    except PermissionError:
        pass
    except (FileNotFoundError, ProcessLookupError):
        return 0
    try:
        return int(Path("/proc", str(process), "statm").read_text().split()[1]) * _PAGE_BYTES
    except (FileNotFoundError, ProcessLookupError):
        return 0


def threads(processes: Iterable[int]) -> int:
    """How many there are in all of them."""
    total = 0
    for process in processes:
        try:
            total += int(Path("/proc", str(process), "stat").read_bytes().rpartition(b")")[2].split()[17])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


class Hidden(Exception):
    """A folder that is not readable any more, or deeper than a path can be long."""


@dataclass(frozen=True, slots=True)
class DiskUse:
    bytes: int
    files: int
    largest: int
    """Length of the longest file, holes included."""


def disk_use(folders: Sequence[Path], processes: Iterable[int]) -> DiskUse:
    """As it lies on the disk: under the folders, and what was deleted there and is still open.

    Raises Hidden for a folder that we can't look into.
    """
    seen: set[tuple[int, int]] = set()
    total = largest = 0
    devices = {folder.stat().st_dev for folder in folders}
    deleted = (status for status in _deleted(processes) if status.st_dev in devices)
    for status in (*_under(folders), *deleted):
        if (status.st_dev, status.st_ino) not in seen:
            seen.add((status.st_dev, status.st_ino))
            total += status.st_blocks * 512
            largest = max(largest, status.st_size if stat.S_ISREG(status.st_mode) else 0)
    return DiskUse(total, len(seen), largest)


def _under(folders: Iterable[Path]) -> Iterator[os.stat_result]:
    waiting = [str(folder) for folder in folders]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    try:
                        yield entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except (FileNotFoundError, NotADirectoryError):
            # Removed while we look.
            continue
        except OSError as error:
            raise Hidden(error.strerror) from error


def _deleted(processes: Iterable[int]) -> Iterator[os.stat_result]:
    for process in processes:
        try:
            links = list(Path("/proc", str(process), "fd").iterdir())
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
        for link in links:
            try:
                status = link.stat()
            except OSError:
                continue
            if status.st_nlink == 0:
                yield status
