"""What every layout's reader works with and gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modelyard.job.errors import DatasetDescriptionWrong
from modelyard.tree import Entry

RECORD = np.dtype([("offset", "<i8"), ("size", "<i8"), ("file", "<i4"), ("label", "<i4")])
UNPACKED_FOLDER = "unpacked"


@dataclass(frozen=True, slots=True)
class LayoutSplit:
    """The examples of one split."""

    records: NDArray[np.void]
    """RECORD, one an example."""
    paths: tuple[str, ...]
    """One an example, or none where many examples share a file."""
    origin: str
    """The file or folder to name when the split is not what is claimed."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What was found in the tree."""

    splits: Mapping[str, LayoutSplit]
    image_shape: tuple[int | None, int | None, int | None]


@dataclass
class PackFiles:
    """The files that hold examples, numbered as records name them, and mapped while the index is built."""

    folder: Path
    packs: Mapping[str, Path]
    paths: list[Path] = field(default_factory=list)
    _numbers: dict[Path, int] = field(default_factory=dict)
    _maps: dict[Path, NDArray[np.uint8]] = field(default_factory=dict)

    def number(self, path: Path) -> int:
        """The file's number in the index."""
        if path not in self._numbers:
            self._numbers[path] = len(self.paths)
            self.paths.append(path)
        return self._numbers[path]

    def read(self, entry: Entry, offset: int = 0, size: int | None = None) -> bytes:
        """Bytes of a tree's file; raises DatasetDescriptionWrong where its pack is too short."""
        if entry.size == 0:
            return b""
        path = self.packs[entry.pack]
        if path not in self._maps:
            self._maps[path] = np.memmap(path, np.uint8, "r")
        pack = self._maps[path]
        if entry.offset + entry.size > len(pack):
            raise DatasetDescriptionWrong(entry.path, f"its pack ends at byte {len(pack)}; the copy is incomplete")
        start = entry.offset + offset
        end = entry.offset + entry.size if size is None else min(start + size, entry.offset + entry.size)
        return pack[start:end].tobytes()

    def unpacked(self, name: str) -> Path:
        """A place for what has to be decompressed."""
        (self.folder / UNPACKED_FOLDER).mkdir(exist_ok=True)
        return self.folder / UNPACKED_FOLDER / name
