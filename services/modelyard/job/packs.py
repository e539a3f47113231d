"""A tree's files where they lie: in the packs of a prepared dataset."""

import io
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from modelyard.job.errors import DatasetDescriptionWrong
from modelyard.tree import Entry

PACKS_FOLDER = "packs"


def pack_path(folder: Path, pack: str) -> Path:
    """Where a prepared dataset keeps a pack, whatever characters its name has."""
    return folder / PACKS_FOLDER / quote(pack, safe="")


@dataclass(frozen=True, slots=True)
class PackFile:
    """One file of the tree: a modelyard.layouts File."""

    descriptor: int
    """The pack, open."""
    offset: int
    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Bytes [offset, offset + length); fewer at the end."""
        length = min(length, self.size - offset)
        if length <= 0:
            return b""
        data, start = b"", self.offset + offset
        # One call reads at most 2 GiB.
        while len(data) < length and (more := os.pread(self.descriptor, length - len(data), start + len(data))):
            data += more
        return data

    def open(self) -> BinaryIO:
        """The file from its beginning; the caller closes it."""
        return io.BufferedReader(_Slice(self), 1 << 18)


class PackFiles(Mapping[str, PackFile]):
    """The tree's files by their paths; a modelyard.layouts Files. Packs stay open until `close`."""

    def __init__(self, folder: Path, entries: Iterable[Entry]) -> None:
        """Raises DatasetDescriptionWrong where a pack is shorter than its entries say, OSError where one is missing."""
        self.numbers: dict[str, int] = {}
        """Pack -> its place in `packs`."""
        self.packs: list[Path] = []
        self._descriptors: list[int] = []
        self._files: dict[str, PackFile] = {}
        self._entries: dict[str, Entry] = {}
        nothing = os.open(os.devnull, os.O_RDONLY)
        self._descriptors.append(nothing)
        lengths: dict[str, int] = {}
        for entry in entries:
            if not entry.size:
                self._files[entry.path] = PackFile(nothing, 0, 0)
                continue
            if entry.pack not in self.numbers:
                path = pack_path(folder, entry.pack)
                self.numbers[entry.pack] = len(self.packs)
                self.packs.append(path)
                self._descriptors.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
                lengths[entry.pack] = os.fstat(self._descriptors[-1]).st_size
            if entry.offset + entry.size > lengths[entry.pack]:
                raise DatasetDescriptionWrong(
                    entry.path, f"its pack ends at byte {lengths[entry.pack]}; the copy is incomplete"
                )
            descriptor = self._descriptors[self.numbers[entry.pack] + 1]
            self._files[entry.path] = PackFile(descriptor, entry.offset, entry.size)
            self._entries[entry.path] = entry

    def place(self, path: str) -> tuple[int, int]:
        """The pack's place in `packs` and the file's first byte in it; an empty file is anywhere."""
        entry = self._entries.get(path)
        return (0, 0) if entry is None else (self.numbers[entry.pack], entry.offset)

    def close(self) -> None:
        """No file can be read any more."""
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors = []

    def __enter__(self) -> "PackFiles":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getitem__(self, path: str) -> PackFile:
        return self._files[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


class _Slice(io.RawIOBase):
    """A file of the tree as a stream."""

    def __init__(self, file: PackFile) -> None:
        super().__init__()
        self._file = file
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._file.size}[whence]
        if start + offset < 0:
            raise OSError("before the file's beginning")
        self._at = start + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(self._at, len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
