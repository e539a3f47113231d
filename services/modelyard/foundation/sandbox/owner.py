"""Where the worker is root, a foreign program is not: it runs as a user that nobody else is.

For its time the writable folders are that user's. What it only reads may be as private as the worker's own files are,
so it is opened to a group that only sandboxed programs are in.
"""

import os
import shutil
import socket
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from modelyard.foundation.sandbox.policy import SandboxUnavailable

_FIRST, _LAST = 61185, 65519
"""The range that systemd keeps for users without a name."""
READERS = 61184
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_SET_ID = stat.S_ISUID | stat.S_ISGID


class User:
    """A user number of one's own on this machine, until it is closed."""

    def __init__(self) -> None:
        self._held = socket.socket(socket.AF_UNIX)
        for number in range(_FIRST, _LAST + 1):
            try:
                # The kernel gives a name to one process only, and takes it back when that is gone.
                self._held.bind(f"\0modelyard-sandbox-user-{number}")
            except OSError:
                continue
            self.number = number
            return
        self._held.close()
        raise SandboxUnavailable("all users for sandboxes are taken: wait until other jobs on this machine have ended")

    def close(self) -> None:
        self._held.close()

    def take(self, folders: Iterable[Path], but: Iterable[Path]) -> None:
        """The folders with all in them become this user's, without `but`."""
        for folder, name, status in _walk(folders, but):
            if status.st_uid != self.number:
                os.chown(name, self.number, self.number, dir_fd=folder, follow_symlinks=False)


def separate(folders: Iterable[Path], but: Iterable[Path]) -> None:
    """A file that is also elsewhere, in a cache for example, becomes one of its own: a program may write to it soon."""
    for folder, name, status in _walk(folders, but):
        if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
            copy = f".{name[:200]}.own"
            with _opened(folder, name, os.O_RDONLY) as old, _opened(folder, copy, _NEW) as new:
                shutil.copyfileobj(old, new)
                os.fchmod(new.fileno(), stat.S_IMODE(status.st_mode))
            os.replace(copy, name, src_dir_fd=folder, dst_dir_fd=folder)


def give_back(folders: Iterable[Path], but: Iterable[Path]) -> None:
    """They become ours again, once nothing of the program runs; nobody gets the rights of a file's owner by it."""
    for folder, name, status in _walk(folders, but):
        if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(name, os.geteuid(), os.getegid(), dir_fd=folder, follow_symlinks=False)
        if status.st_mode & _SET_ID and not stat.S_ISLNK(status.st_mode):
            os.chmod(name, stat.S_IMODE(status.st_mode) & ~_SET_ID, dir_fd=folder)


def open_to_readers(folders: Iterable[Path]) -> None:
    """Whoever is in READERS may read them; untouched where anybody may."""
    for folder, name, status in _walk(folders):
        if stat.S_ISLNK(status.st_mode):
            continue
        runnable = stat.S_ISDIR(status.st_mode) or status.st_mode & stat.S_IXUSR
        needed = stat.S_IROTH | (stat.S_IXOTH if runnable else 0)
        if status.st_mode & needed != needed:
            if status.st_gid != READERS:
                os.chown(name, -1, READERS, dir_fd=folder)
            os.chmod(name, stat.S_IMODE(status.st_mode) | needed << 3, dir_fd=folder)


def is_private(folder: Path) -> bool:
    """Whether it was made by one who keeps files to themselves; told by what lies on top."""
    return any(not path.is_symlink() and not path.stat().st_mode & stat.S_IROTH for path in (folder, *folder.iterdir()))


def _opened(folder: int, name: str, flags: int) -> BinaryIO:
    descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
    return os.fdopen(descriptor, "wb" if flags & os.O_WRONLY else "rb")


def _walk(places: Iterable[Path], but: Iterable[Path] = ()) -> Iterator[tuple[int, str, os.stat_result]]:
    """Everything, the places themselves too: its folder's descriptor, its name there, what it is. Follows no links.

    Nothing hostile runs meanwhile, but what did may have left folders deeper than a path can be long, or than there can
    be open at a time: so we go down and up by the one descriptor.
    """
    skipped = [path.stat() for path in but]
    for place in places:
        real = place.resolve()
        descriptor = os.open(real.parent, _FOLDER)
        levels = [[real.name or "."]]
        try:
            while levels:
                if not levels[-1]:
                    levels.pop()
                    descriptor = _enter(descriptor, "..") if levels else descriptor
                    continue
                name = levels[-1].pop()
                status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                if any(os.path.samestat(status, other) for other in skipped):
                    continue
                yield descriptor, name, status
                if stat.S_ISDIR(status.st_mode):
                    descriptor = _enter(descriptor, name)
                    levels.append(os.listdir(descriptor))  # noqa: PTH208
        finally:
            os.close(descriptor)


def _enter(descriptor: int, name: str) -> int:
    """A neighbouring folder's descriptor in place of this one."""
    other = os.open(name, _FOLDER, dir_fd=descriptor)
    os.close(descriptor)
    return other
