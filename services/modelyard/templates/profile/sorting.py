"""Hashes of many examples, sorted on disk: what is in memory does not grow with how many there are."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from modelyard.templates.profile.frequencies import Hashes

RUN = 1 << 16
"""So many examples are sorted at a time, and so many come back together."""
KEPT = 20
"""The first rows of equal ones that are kept, of each run; all are counted."""
RECORD = np.dtype([("hash", "<u8"), ("row", "<i8"), ("count", "<i8")])
"""Of a hash's first row in a run `count` says how many there are, of its others 0."""

Records = NDArray[np.void]


class Sorted:
    """Takes the hashes of rows 0, 1, …; then answers them in ascending order, range by range."""

    def __init__(self, folder: Path) -> None:
        """`folder` is where the disk is that it may use; nothing of it is left there."""
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - `close` does
        self._waiting: list[Hashes] = []
        self._waiting_count = self._rows = self._written = 0
        self._runs: list[tuple[int, int]] = []
        """The places in the file of what has not been answered yet, of each run."""

    def add(self, hashes: Hashes) -> None:
        """Of the next rows."""
        self._waiting.append(hashes)
        self._waiting_count += len(hashes)
        if self._waiting_count >= RUN:
            self._write()

    def __len__(self) -> int:
        """Records; nothing may be added from now on."""
        if self._waiting_count:
            self._write()
        return self._written

    def _write(self) -> None:
        hashes = np.concatenate(self._waiting)
        order = np.argsort(hashes, kind="stable")
        ordered = hashes[order]
        starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        sizes = np.diff(np.append(starts, len(ordered)))
        place = np.arange(len(ordered)) - np.repeat(starts, sizes)
        kept = np.flatnonzero(place < KEPT)
        records = np.zeros(len(kept), RECORD)
        records["hash"], records["row"] = ordered[kept], order[kept] + self._rows
        records["count"] = np.where(place == 0, np.repeat(sizes, sizes), 0)[kept]
        self._file.seek(0, 2)
        self._file.write(records.tobytes())
        self._runs.append((self._written, self._written + len(records)))
        self._written += len(records)
        self._rows += len(hashes)
        self._waiting, self._waiting_count = [], 0

    def upto(self, last: int) -> Records:
        """What is not above `last` and was not answered before, by hash and row."""
        parts = [self._take(number, last) for number in range(len(self._runs))]
        records = np.concatenate([np.zeros(0, RECORD), *parts])
        return records[np.argsort(records["hash"], kind="stable")]

    def _take(self, number: int, last: int) -> Records:
        start, stop = self._runs[number]
        many = RUN // max(1, len(self._runs)) + 64
        found = np.zeros(0, RECORD)
        while start + len(found) < stop and (not len(found) or int(found["hash"][-1]) <= last):
            self._file.seek((start + len(found)) * RECORD.itemsize)
            count = min(many, stop - start - len(found))
            data = self._file.read(count * RECORD.itemsize)
            found = np.concatenate([found, np.frombuffer(data, RECORD)])
            many *= 2
        end = int(np.searchsorted(found["hash"], np.uint64(last), "right"))
        self._runs[number] = (start + end, stop)
        return found[:end]

    def close(self) -> None:
        """It takes no room any more."""
        self._file.close()


def ranges(records: int) -> Iterator[int]:
    """The last hashes of ranges that hold about RUN of so many evenly spread records each."""
    bits = max(0, (records // RUN).bit_length())
    for number in range(1 << bits):
        yield ((number + 1) << (64 - bits)) - 1
