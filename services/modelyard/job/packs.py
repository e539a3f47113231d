"""A tree's files where they lie: in the packs of a prepared dataset."""

import io
import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from modelyard.job.errors import DatasetDescriptionWrong
from modelyard.tree import Entry

PACKS_FOLDER = "packs"
MAX_OPEN = 64


def pack_path(folder: Path, pack: str) -> Path:
    """Where a prepared dataset keeps a pack, whatever characters its name has."""
    return folder / PACKS_FOLDER / quote(pack, safe="")


class OpenPacks:
    """Packs by their numbers, of which those that were read last are open. For one thread."""

    def __init__(self, most: int = MAX_OPEN) -> None:
        self.paths: list[Path] = []
        self._most = most
        self._open: OrderedDict[int, int] = OrderedDict()

    def add(self, path: Path) -> int:
        """Its number."""
        self.paths.append(path)
        return len(self.paths) - 1

    def read(self, number: int, offset: int, length: int) -> bytes:
        """At most this many bytes of the pack, from this one on. Raises OSError where the pack is not there."""
        descriptor = self._open.pop(number, None)
        if descriptor is None:
            while len(self._open) >= self._most:
                os.close(self._open.popitem(last=False)[1])
            descriptor = os.open(self.paths[number], os.O_RDONLY | os.O_CLOEXEC)
        self._open[number] = descriptor
        return os.pread(descriptor, length, offset)

    def close(self) -> None:
        """What is read again is opened again."""
        while self._open:
            os.close(self._open.popitem()[1])


@dataclass(frozen=True, slots=True)
class PackFile:
    """One file of the tree: a modelyard.layouts File."""

    packs: OpenPacks
    pack: int
    """Its number; nobody asks for that of an empty file."""
    offset: int
    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Bytes [offset, offset + length); fewer at the end."""
        length = min(length, self.size - offset)
        if length <= 0:
            return b""
        data, start = b"", self.offset + offset
        # One call reads at most 2 GiB.
        while len(data) < length and (more := self.packs.read(self.pack, start + len(data), length - len(data))):
            data += more
        return data

    def open(self) -> BinaryIO:
        """The file from its beginning; the caller closes it."""
        return io.BufferedReader(_Slice(self), 1 << 18)


class PackFiles(Mapping[str, PackFile]):
    """The tree's files by their paths; a modelyard.layouts Files. `close` leaves no pack open."""

    def __init__(self, folder: Path, entries: Iterable[Entry]) -> None:
        """Raises DatasetDescriptionWrong where a pack is shorter than its entries say, OSError where one is missing."""
        self.numbers: dict[str, int] = {}
        """Pack -> its place in `packs`."""
        self._packs = OpenPacks()
        self._files: dict[str, PackFile] = {}
        lengths: list[int] = []
        for entry in entries:
            if not entry.size:
                self._files[entry.path] = PackFile(self._packs, 0, 0, 0)
                continue
            if entry.pack not in self.numbers:
                path = pack_path(folder, entry.pack)
                self.numbers[entry.pack] = self._packs.add(path)
                lengths.append(path.stat().st_size)
            number = self.numbers[entry.pack]
            if entry.offset + entry.size > lengths[number]:
                raise DatasetDescriptionWrong(
                    entry.path, f"its pack ends at byte {lengths[number]}; the copy is incomplete"
                )
            self._files[entry.path] = PackFile(self._packs, number, entry.offset, entry.size)

    @property
    def packs(self) -> list[Path]:
        """Those that hold files which are not empty."""
        return self._packs.paths

    def place(self, path: str) -> tuple[int, int]:
        """The pack's place in `packs` and the file's first byte in it; an empty file is anywhere."""
        file = self._files[path]
        return file.pack, file.offset

    def close(self) -> None:
        """Nothing is open any more."""
        self._packs.close()

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
