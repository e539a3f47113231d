"""Writes the columns of a prepared dataset, chunk by chunk: memory does not grow with the data."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import numpy as np
from numpy.typing import NDArray

from modelyard.job.columns import NUMBERS, RANGE, NpyFile, is_array
from modelyard.job.errors import DatasetDescriptionWrong
from modelyard.job.index import column_path
from modelyard.job.packs import PackFiles
from modelyard.layouts import Feature
from modelyard.layouts.chunks import Chunk
from modelyard.layouts.files import Range

UNPACKED_FOLDER = "unpacked"


class Places:
    """The files that ranges lie in, numbered as the index lists them: the packs, then what was unpacked."""

    def __init__(self, folder: Path, target: Path, files: PackFiles) -> None:
        """`folder` is the prepared dataset, `target` where its index is being written."""
        self._target = target
        self._files = files
        self.listed = [str(path.relative_to(folder)) for path in files.packs]

    def of(self, place: Range) -> tuple[int, int, int]:
        """A RANGE."""
        number, start = self._files.place(place.path)
        if place.size < 0 or place.offset < 0 or place.offset + place.size > self._files[place.path].size:
            raise DatasetDescriptionWrong(place.path, f"ends before byte {place.offset + place.size}")
        return start + place.offset, place.size, number

    def new(self, name: str) -> tuple[int, BinaryIO]:
        """A file for bytes that lie nowhere in the tree."""
        self.listed.append(f"{UNPACKED_FOLDER}/{name}")
        path = self._target / self.listed[-1]
        path.parent.mkdir(exist_ok=True)
        return len(self.listed) - 1, path.open("wb")


class ColumnWriter:
    """One feature of one split."""

    def __init__(self, split: str, feature: Feature, target: Path, places: Places) -> None:
        self.feature = feature
        self._places = places
        self._name = f"{split}.{feature.name}.bin"
        self._dtype = np.dtype(NUMBERS.get(feature.dtype, "u1"))
        self._array = is_array(feature)
        shape = [size or 0 for size in feature.shape] if self._array else []
        self._npy = NpyFile(target / column_path(split, feature.name), self._dtype if self._array else RANGE, shape)
        self._bytes: tuple[int, BinaryIO] | None = None
        self._written = 0

    def append(self, values: Any, origins: Sequence[str]) -> None:
        """A chunk's column. Raises DatasetDescriptionWrong for what is not of the feature's form."""
        if len(values) != len(origins):
            raise ValueError(f"column {self.feature.name!r} has {len(values)} rows of {len(origins)}")
        if self._array:
            self._npy.append(self._numbers(np.asarray(values), origins))
        elif len(values):
            self._npy.append(self._ranges(values))

    def _numbers(self, values: NDArray[Any], origins: Sequence[str]) -> NDArray[Any]:
        if values.shape[1:] != tuple(self.feature.shape):
            raise DatasetDescriptionWrong(
                origins[0], f"{self.feature.name} has the shape {values.shape[1:]}, not {self.feature.shape}"
            )
        return values

    def _ranges(self, values: Any) -> NDArray[Any]:
        if isinstance(values[0], Range):
            return np.array([self._places.of(value) for value in values], RANGE)
        if isinstance(values, np.ndarray) and values.dtype != object:
            data = [row.tobytes() for row in np.ascontiguousarray(values)]
        else:
            data = [self._plain(value) for value in values]
        if self._bytes is None:
            self._bytes = self._places.new(self._name)
        number, out = self._bytes
        made = np.empty(len(data), RANGE)
        made["size"] = np.fromiter(map(len, data), np.int64, len(data))
        made["offset"] = self._written + np.cumsum(made["size"]) - made["size"]
        made["file"] = number
        out.write(b"".join(data))
        self._written += int(made["size"].sum())
        return made

    def _plain(self, value: Any) -> bytes:
        if isinstance(value, bytes):
            return value
        return np.ascontiguousarray(value, self._dtype).tobytes()

    def close(self) -> None:
        """All is written."""
        self._npy.close()
        if self._bytes is not None:
            self._bytes[1].close()


class SplitWriter:
    """One split, or the table of items."""

    def __init__(self, split: str, features: Sequence[Feature], target: Path, places: Places) -> None:
        self.count = 0
        self._columns = [ColumnWriter(split, feature, target, places) for feature in features]
        path = target / "origins" / f"{split}.txt"
        path.parent.mkdir(exist_ok=True)
        self._origins: TextIO = path.open("w", encoding="utf-8", newline="\n")

    def append(self, chunk: Chunk) -> None:
        """Its rows come behind the ones before."""
        if not len(chunk.origins):
            return
        for column in self._columns:
            column.append(chunk.columns[column.feature.name], chunk.origins)
        self._origins.writelines(f"{origin}\n" for origin in chunk.origins)
        self.count += len(chunk.origins)

    def close(self) -> None:
        """All is written."""
        self._origins.close()
        for column in self._columns:
            column.close()
