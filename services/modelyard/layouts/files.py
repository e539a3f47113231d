"""The files that layouts are read from, wherever they lie: a folder, or the packs of a tree."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO, Protocol, TypeAlias


class File(Protocol):
    """One file of a tree."""

    @property
    def size(self) -> int:
        """In bytes."""

    def read(self, offset: int, length: int) -> bytes:
        """Bytes [offset, offset + length); fewer at the end."""

    def open(self) -> BinaryIO:
        """The file from its beginning, seekable; the caller closes it."""


Files: TypeAlias = Mapping[str, File]
"""Path in the tree -> file."""


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes that lie in a file of the tree as they are."""

    path: str
    offset: int
    size: int


def is_gzip(file: File) -> bool:
    """Whether it begins as gzip files do."""
    return file.read(0, 2) == b"\x1f\x8b"
