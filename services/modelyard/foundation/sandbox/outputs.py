"""Takes over what a program that is not trusted has left."""

import os
import shutil
import stat
from pathlib import Path

from modelyard.foundation.errors import InvalidArgument
from modelyard.foundation.sandbox.policy import Limits

_MAX_DEPTH = 64
_MAX_PATH_BYTES = 1024
_CHUNK_BYTES = 1 << 20
_HOLES = 16
"""A file may be so many times longer than what it has on the disk…"""
_SMALL_BYTES = 64 << 20
"""…or as long as this, where nothing else limits it."""


class HostileOutput(InvalidArgument):
    reason = "HOSTILE_OUTPUT"


def copy_out(source: Path, target: Path, limits: Limits) -> None:
    """Copies the files and folders of `source` to `target`, which must not exist; `source` may change meanwhile.

    Takes regular files and folders and nothing else: a link, a device, a file that has a second name, a name that is no
    text, or more than `limits` allows (bytes by length, holes included) raises HostileOutput, and `target` is gone.
    """
    root = _open_folder(source)
    try:
        target.mkdir(mode=0o700)
        try:
            _Copy(limits).folder(root, target, "")
        except BaseException:
            shutil.rmtree(target)
            raise
    finally:
        os.close(root)


def _open_folder(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except NotADirectoryError:
        raise HostileOutput(f"{path.name} is not a folder") from None


class _Copy:
    """One copy with what it has taken so far."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._bytes = 0
        self._files = 0

    def folder(self, descriptor: int, target: Path, path: str) -> None:
        """What is in an open folder. Nothing is looked up by its path again: it may be another's by then."""
        if path.count("/") >= _MAX_DEPTH:
            raise HostileOutput(f"{path} lies deeper than {_MAX_DEPTH} folders")
        with os.scandir(descriptor) as entries:
            names = sorted(entry.name for entry in entries)
        for name in names:
            self._entry(descriptor, name, target / name, f"{path}/{name}" if path else name)

    def _entry(self, folder: int, name: str, target: Path, path: str) -> None:
        _check_name(path)
        self._files += 1
        if self._limits.disk_files and self._files > self._limits.disk_files:
            raise HostileOutput(f"there are more than {self._limits.disk_files} files and folders")
        expected = stat.S_IFMT(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
        if expected not in (stat.S_IFREG, stat.S_IFDIR):
            raise HostileOutput(f"{path!r} is neither a file nor a folder")
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(name, flags, dir_fd=folder)
        except OSError as error:
            raise HostileOutput(f"{path!r} can't be read: {error.strerror}") from error
        try:
            status = os.fstat(descriptor)
            if stat.S_IFMT(status.st_mode) != expected:
                raise HostileOutput(f"{path!r} is neither a file nor a folder")
            if expected == stat.S_IFDIR:
                target.mkdir(mode=0o700)
                self.folder(descriptor, target, path)
            else:
                self._file(descriptor, status, target, path)
        finally:
            os.close(descriptor)

    def _file(self, descriptor: int, status: os.stat_result, target: Path, path: str) -> None:
        if status.st_nlink != 1:
            raise HostileOutput(f"{path!r} has another name elsewhere")
        self._check_size(status, path)
        self._bytes += status.st_size
        out = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(out, "wb") as file:  # noqa: PTH123
            left = status.st_size
            while left and (data := os.read(descriptor, min(left, _CHUNK_BYTES))):
                file.write(data)
                left -= len(data)
        if left or os.read(descriptor, 1):
            raise HostileOutput(f"{path!r} changed while it was copied")

    def _check_size(self, status: os.stat_result, path: str) -> None:
        limits = self._limits
        if limits.file_bytes and status.st_size > limits.file_bytes:
            raise HostileOutput(f"{path!r} has {status.st_size} bytes, {limits.file_bytes} are allowed")
        if limits.disk_bytes:
            if self._bytes + status.st_size > limits.disk_bytes:
                raise HostileOutput(f"the files have more than {limits.disk_bytes} bytes, holes included")
        elif status.st_size > max(_SMALL_BYTES, _HOLES * status.st_blocks * 512):
            raise HostileOutput(f"{path!r} has {status.st_size} bytes and almost all of them are a hole")


def _check_name(path: str) -> None:
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        raise HostileOutput(f"the name {path!r} is no text") from None
    if len(encoded) > _MAX_PATH_BYTES:
        raise HostileOutput(f"the name {path[:80]!r}… has {len(encoded)} bytes, {_MAX_PATH_BYTES} are allowed")
    if any(ord(character) < 32 or ord(character) == 127 for character in path):
        raise HostileOutput(f"there are control characters in the name {path!r}")
