"""Encoded files that are examples."""

import hashlib
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from modelyard.layouts import File, names
from modelyard.templates.profile.frequencies import Hashes, hash_bytes
from modelyard.templates.profile.portions import PORTION_BYTES, Portion

LISTED = 5
_ENDINGS = {**names.IMAGES, **names.SOUNDS, **names.VIDEOS}
_EQUAL = {"jpg": "jpeg", "mkv": "webm", "mov": "mp4", "m4v": "mp4", "oga": "ogg", "opus": "ogg"}


@dataclass(frozen=True, slots=True)
class Bytes:
    """A modelyard.layouts File that is in memory."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, offset: int, length: int) -> bytes:
        return self.data[offset : offset + length]

    def open(self) -> BinaryIO:
        return io.BytesIO(self.data)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A modelyard.layouts File that is too large to be in memory: it lies in a larger one."""

    path: Path
    offset: int
    size: int

    def read(self, offset: int, length: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(self.offset + offset)
            return file.read(max(0, min(length, self.size - offset)))

    def open(self) -> BinaryIO:
        return io.BufferedReader(_Reader(self), 1 << 20)


class _Reader(io.RawIOBase):
    """What lies in a stretch, as a file of its own."""

    def __init__(self, stretch: Stretch) -> None:
        self._stretch = stretch
        self._file = stretch.path.open("rb", buffering=0)
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(0, offset + (0, self._at, self._stretch.size)[whence])
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        self._file.seek(self._stretch.offset + self._at)
        data = self._file.read(max(0, min(len(buffer), self._stretch.size - self._at)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def files_of(portion: Portion, name: str) -> Sequence[File]:
    """The portion's files; a large one is alone in its portion and is read where it lies."""
    column = portion.examples.column(name)
    if int(column.sizes[portion.start : portion.stop].sum()) <= PORTION_BYTES:
        return [Bytes(data) for data in portion.values(name)]
    ranges = column.values[portion.start : portion.stop].tolist()
    return [Stretch(column.files[number], offset, size) for offset, size, number in ranges]


def hash_files(files: Sequence[File]) -> Hashes:
    """As `hash_bytes` has it of their contents."""
    if all(isinstance(file, Bytes) for file in files):
        return hash_bytes([file.read(0, file.size) for file in files])
    return np.array([_hash(file) for file in files], np.uint64)


def _hash(file: File) -> int:
    hashed = hashlib.blake2b(digest_size=8)
    with file.open() as opened:
        while block := opened.read(1 << 20):
            hashed.update(block)
    return int.from_bytes(hashed.digest(), "little")


class Misnamed:
    """Files that are of another kind than their names say; they decode all the same."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[str] = []
        self._kinds: Counter[tuple[str, str]] = Counter()

    def look(self, portion: Portion, row: int, encoding: str) -> None:
        """Whether the example's file is named as what it is."""
        path = portion.origin(row)
        said = _ENDINGS.get(names.suffix(path))
        if said is None or _EQUAL.get(said, said) == _EQUAL.get(encoding, encoding):
            return
        self.count += 1
        if len(self.first) < LISTED:
            self.first.append(f"{path} is {encoding.upper()}")
