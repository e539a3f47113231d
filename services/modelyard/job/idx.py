"""Layout idx: the files of MNIST's format. Each split names one file of images and one of labels, perhaps gzipped.

Header: two zero bytes, a type (8 = uint8), the number of dimensions, then each as a big-endian uint32.
"""

import gzip
import io
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from modelyard.job.description import Description
from modelyard.job.errors import DatasetDescriptionWrong
from modelyard.job.layout import RECORD, Layout, LayoutSplit, PackFiles
from modelyard.tree import Entry

_UINT8 = 8
MAX_HEADER_BYTES = 20
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class _Claim:
    """What the description says of an IDX file: so many examples, each of this shape."""

    examples: int
    shape: tuple[int | None, ...]
    """Height, width, channels of images; () of labels."""

    def check(self, path: str, head: bytes) -> tuple[int, int]:
        """Bytes of the header and of the whole file."""
        ranks = (3, 4) if self.shape else (1,)
        if len(head) < 8 or head[:2] != b"\0\0" or head[2] != _UINT8 or head[3] not in ranks:
            wanted = " or ".join(f"0000{_UINT8:02x}{rank:02x}" for rank in ranks)
            raise DatasetDescriptionWrong(
                path, f"begins with {head[:4].hex()}; an IDX file for this begins with {wanted}"
            )
        header = 4 + 4 * head[3]
        if len(head) < header:
            raise DatasetDescriptionWrong(path, "ends inside its header")
        count, *rest = struct.unpack(f">{head[3]}I", head[4:header])
        if count != self.examples:
            raise DatasetDescriptionWrong(path, f"holds {count} examples; the description claims {self.examples}")
        found = tuple(rest) if len(rest) != 2 else (*rest, 1)
        if found != self.shape:
            raise DatasetDescriptionWrong(
                path, f"its images are {_shape(found)}; the description claims {_shape(self.shape)}"
            )
        return header, header + count * prod(rest)


@dataclass(frozen=True, slots=True)
class _Values:
    """Where an IDX file's values begin."""

    path: Path
    offset: int


def _shape(lengths: tuple[int | None, ...]) -> str:
    return " × ".join(map(str, lengths))


def read_layout(description: Description, entries: Mapping[str, Entry], files: PackFiles) -> Layout:
    """Raises DatasetDescriptionWrong for wrong headers, sizes, shapes, counts and labels."""
    shape = description.image_shape
    size = prod(length or 0 for length in shape)
    splits = {}
    for name, split in description.splits.items():
        images = _open(split.images, entries, files, _Claim(split.examples, shape))
        labels = _open(split.labels, entries, files, _Claim(split.examples, ()))
        values = np.fromfile(labels.path, np.uint8, split.examples, offset=labels.offset)
        classes = len(description.classes)
        if split.examples and int(values.max()) >= classes:
            at = int(values.argmax())
            raise DatasetDescriptionWrong(
                split.labels, f"label {at} is {values[at]}; with {classes} classes labels go from 0 to {classes - 1}"
            )
        records = np.zeros(split.examples, RECORD)
        records["offset"] = images.offset + size * np.arange(split.examples, dtype=np.int64)
        records["size"] = size
        records["file"] = files.number(images.path)
        records["label"] = values
        splits[name] = LayoutSplit(records, (), split.images)
    return Layout(splits, shape)


def _open(path: str, entries: Mapping[str, Entry], files: PackFiles, claim: _Claim) -> _Values:
    entry = entries.get(path)
    if entry is None:
        raise DatasetDescriptionWrong(path, "the description names this file, but the tree does not have it")
    if entry.size == 0:
        raise DatasetDescriptionWrong(path, "is empty")
    if files.read(entry, 0, 2) == b"\x1f\x8b":
        unpacked = files.unpacked(entry.sha256)
        return _Values(unpacked, _unpack(entry, files, unpacked, claim))
    header, wanted = claim.check(path, files.read(entry, 0, MAX_HEADER_BYTES))
    if entry.size != wanted:
        raise DatasetDescriptionWrong(path, f"has {entry.size} bytes; its header asks for {wanted}")
    return _Values(files.packs[entry.pack], entry.offset + header)


def _unpack(entry: Entry, files: PackFiles, target: Path, claim: _Claim) -> int:
    """Decompress to `target`, never more than the header asks for, and that is what the description claims."""
    header, wanted, written = 0, 0, 0
    try:
        with gzip.GzipFile(fileobj=_EntryStream(entry, files), mode="rb") as source, target.open("wb") as out:
            while chunk := source.read(_CHUNK):
                if not wanted:
                    header, wanted = claim.check(entry.path, chunk[:MAX_HEADER_BYTES])
                written += len(chunk)
                if written > wanted:
                    raise DatasetDescriptionWrong(
                        entry.path, f"unpacks to more than the {wanted} bytes that its header asks for"
                    )
                out.write(chunk)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DatasetDescriptionWrong(entry.path, f"is damaged gzip: {error}") from error
    if not wanted or written != wanted:
        raise DatasetDescriptionWrong(entry.path, f"unpacks to {written} bytes; its header asks for {wanted}")
    return header


class _EntryStream(io.RawIOBase):
    """A tree's file as what gzip reads from."""

    def __init__(self, entry: Entry, files: PackFiles) -> None:
        super().__init__()
        self._entry = entry
        self._files = files
        self._at = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._files.read(self._entry, self._at, len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
