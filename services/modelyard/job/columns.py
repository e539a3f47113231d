"""The columns of a prepared dataset: one file a split and feature, mapped where it is read.

array    what is a number or has a fixed number of them: [n, *shape]
ranges   everything else: where each example's bytes lie, (offset, size, file) with `file` a place in the index's
         list. Boxes and their labels are ranges over little-endian values.
"""

import io
import mmap
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from modelyard.job.errors import DatasetUnsuitable
from modelyard.layouts import Feature

RANGE = np.dtype([("offset", "<i8"), ("size", "<i8"), ("file", "<i4")])
NUMBERS = {"float32": "<f4", "int64": "<i8"}
MAX_HELD_BYTES = 2 << 30
"""Texts of one column that are kept in memory; more are read as they are needed."""
MOST_MAPPED = 256
"""Files of one column that are mapped at a time: each takes a descriptor, and every large file is a pack of its own."""


def is_array(feature: Feature) -> bool:
    """Whether the column of this feature is an array; else it is ranges."""
    return feature.dtype in NUMBERS and None not in feature.shape


def is_ragged(feature: Feature) -> bool:
    """Whether its examples have different numbers of values."""
    return feature.dtype in NUMBERS and None in feature.shape


class NpyFile:
    """An .npy file that grows; complete only once it is closed."""

    def __init__(self, path: Path, dtype: Any, shape: Sequence[int] = ()) -> None:
        """`shape` of a row."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = path.open("w+b")
        self._dtype = np.dtype(dtype)
        self._shape = tuple(shape)
        self.rows = 0
        self._begin()

    def _begin(self) -> None:
        # NumPy pads the header so that it keeps its length when the first dimension grows.
        about = {"descr": npy.dtype_to_descr(self._dtype), "fortran_order": False, "shape": (self.rows, *self._shape)}
        self._file.seek(0)
        npy.write_array_header_1_0(self._file, about)

    def append(self, values: NDArray[Any]) -> None:
        """Rows of the file's type and shape."""
        self._file.write(np.ascontiguousarray(values, self._dtype).tobytes())
        self.rows += len(values)

    def close(self) -> None:
        """Say how many rows there are."""
        self._begin()
        self._file.close()


@dataclass(frozen=True)
class Column:
    """One feature of one split."""

    feature: Feature
    values: NDArray[Any]
    """[n, *shape], or RANGE [n]; mapped."""
    files: Sequence[Path]
    _open: dict[int, NDArray[np.uint8]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def array(self) -> NDArray[Any] | None:
        """All examples as one mapped array; None where their bytes lie here and there.

        Raw images that lie one behind the other are one: uint8 [n, height, width, channels].
        """
        if self.values.dtype != RANGE:
            return np.asarray(self.values)
        shape = tuple(size for size in self.feature.shape if size is not None)
        if self.feature.encoding != "raw" or not len(self.values) or len(shape) != len(self.feature.shape):
            return None
        offsets, sizes, files = (self.values[name] for name in RANGE.names or ())
        size = int(np.prod(shape))
        if not (sizes == size).all() or not (files == files[0]).all() or not (np.diff(offsets) == size).all():
            return None
        whole = np.memmap(self.files[int(files[0])], np.uint8, "r", int(offsets[0]), (len(self.values), *shape))
        return np.asarray(whole)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Bytes of each example that is a range."""
        return np.asarray(self.values["size"])

    def read(self, row: int) -> bytes:
        """The stored bytes of one example: an encoded file, a text in UTF-8."""
        return self.part(row, 0, int(self.values["size"][row]))

    def gather(self, rows: Sequence[int] | NDArray[np.int64]) -> NDArray[np.object_]:
        """The stored bytes of these examples."""
        return _objects([self.read(int(row)) for row in rows])

    @property
    def held_bytes(self) -> int:
        """What all examples' bytes take: each object 33 more than it holds, and its place in the array 8."""
        return int(self.sizes.sum()) + 41 * len(self)

    def texts(self) -> "NDArray[np.object_] | None":
        """All examples' bytes; None for media, and where that would be too much."""
        if self.feature.kind in ("image", "audio", "video") or self.held_bytes > MAX_HELD_BYTES:
            return None
        return self.between(0, len(self))

    def between(self, start: int, stop: int) -> "NDArray[np.object_]":
        """The stored bytes of the examples start … stop - 1, read together where they lie together."""
        ranges = self.values[start:stop]
        found = np.full(len(ranges), b"", object)
        filled = ranges["size"] > 0
        for number in np.unique(ranges["file"][filled]):
            rows = np.flatnonzero(filled & (ranges["file"] == number))
            offsets = ranges["offset"][rows]
            ends = offsets + ranges["size"][rows]
            first, last = int(offsets.min()), int(ends.max())
            if last - first <= 2 * int(ranges["size"][rows].sum()) + (1 << 20):
                data = self._map(int(number))[first:last].tobytes()
                places = zip((offsets - first).tolist(), (ends - first).tolist(), strict=True)
                found[rows] = _objects([data[begin:end] for begin, end in places])
            else:
                found[rows] = _objects([self.read(start + int(row)) for row in rows])
        return found

    def piece(self, start: int, stop: int) -> "tuple[NDArray[np.uint8], NDArray[np.int64]] | None":
        """The stored bytes of the examples start … stop - 1 in one piece, mapped, and where in it each of them begins,
        with its end as the last; None where they do not lie one behind the other in one file."""
        ranges = self.values[start:stop]
        offsets, sizes, files = (ranges[name] for name in RANGE.names or ())
        if not len(ranges) or (files != files[0]).any() or (np.diff(offsets) != sizes[:-1]).any():
            return None
        places = np.append(offsets, offsets[-1] + sizes[-1])
        if places[0] == places[-1]:
            return np.zeros(0, np.uint8), places - places[0]
        return self._map(int(files[0]))[int(places[0]) : int(places[-1])], places - places[0]

    def forget(self) -> None:
        """Let go of the memory that what was read takes in this process: who goes through a column once, and only
        once, calls it behind each stretch. What is read again is mapped again."""
        for values in (self.values, self.__dict__.get("array"), *self._open.values()):
            forget(values)

    def padded(self, filling: float = -1) -> NDArray[Any]:
        """Ragged values as one array [n, most, …], filled up."""
        dtype = np.dtype(NUMBERS[self.feature.dtype])
        rest = tuple(size or 0 for size in self.feature.shape[1:])
        row = max(1, dtype.itemsize * int(np.prod(rest)))
        counts = self.sizes // row
        out = np.full((len(self), int(counts.max(initial=0)), *rest), filling, dtype)
        for number, count in enumerate(counts.tolist()):
            if count:
                out[number, :count] = np.frombuffer(self.read(number), dtype).reshape(count, *rest)
        return out

    def file(self, row: int) -> "Stored":
        """One example as a modelyard.layouts File."""
        return Stored(self, row, int(self.values["size"][row]))

    def part(self, row: int, offset: int, length: int) -> bytes:
        """Bytes [offset, offset + length) of one example; fewer at its end."""
        start, size, file = self.values[row].item()
        end = min(offset + length, size)
        return self._map(file)[start + offset : start + end].tobytes() if offset < end else b""

    def _map(self, number: int) -> NDArray[np.uint8]:
        # Threads read at the same time; a lock could be left locked by a fork, and each of these calls is one step.
        data = self._open.get(number)
        if data is None:
            data = self._open[number] = np.asarray(np.memmap(self.files[number], np.uint8, "r"))
            for oldest in list(self._open)[:-MOST_MAPPED]:
                # Whoever still has a view of it keeps it mapped.
                self._open.pop(oldest, None)
        return data


@dataclass(frozen=True, slots=True)
class Stored:
    """One example's bytes."""

    column: Column
    row: int
    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Bytes [offset, offset + length); fewer at the end."""
        return self.column.part(self.row, offset, length)

    def open(self) -> BinaryIO:
        """All of it, in memory."""
        return io.BytesIO(self.read(0, self.size))


def open_column(feature: Feature, path: Path, files: Sequence[Path]) -> Column:
    """Raises DatasetUnsuitable where the file is no column of this feature."""
    values = np.load(path, mmap_mode="r", allow_pickle=False)
    wanted = np.dtype(NUMBERS[feature.dtype]) if is_array(feature) else RANGE
    if values.dtype != wanted or values.shape[1:] != (tuple(feature.shape) if is_array(feature) else ()):
        raise DatasetUnsuitable(f"the dataset's index has a wrong column {feature.name!r}")
    return Column(feature, values, files)


def forget(values: object) -> None:
    """Unmap the pages of an array that is mapped from a file; nothing where it is none."""
    place = values
    while isinstance(place, np.ndarray):
        place = place.base
    if isinstance(place, mmap.mmap):
        place.madvise(mmap.MADV_DONTNEED)


def _objects(values: Sequence[bytes]) -> NDArray[np.object_]:
    """NumPy would make fixed-width texts of a list of bytes."""
    array = np.empty(len(values), object)
    array[:] = values
    return array
