"""Examples that are there more than once: in a split, in two, or in an earlier version of the dataset.

What counts is the content of an example's inputs, byte by byte (of a table and of interactions: of the whole row),
as a 64-bit hash: of a million examples two that differ are taken for equal once in 37 million times. Hashes lie on
disk, sorted; all splits are gone through together, a range of hashes at a time.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.job.columns import NpyFile, forget
from modelyard.job.index import Index
from modelyard.layouts import Description
from modelyard.templates.profile.frequencies import Hashes
from modelyard.templates.profile.sorting import KEPT, RUN, Records, Sorted, ranges
from modelyard.templates.profile.texts import short

CONTENT = "content"
"""The folder in the output: <split>.npy, what a later version's profile compares with."""
GROUPS, SHOWN = 20, KEPT
_ROWS = ("table", "interactions")

Rows = NDArray[np.int64]


def counting(description: Description) -> tuple[str, ...]:
    """The features that make two examples copies of each other."""
    if description.modality in _ROWS:
        return tuple(feature.name for feature in description.features if feature.role != "ignore")
    return tuple(feature.name for feature in description.inputs)


class Contents:
    """The hashes of each split's examples, in their order, written down for the profiles of later versions."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._files: dict[str, NpyFile] = {}
        self.sorted: dict[str, Sorted] = {}

    def add(self, split: str, hashes: Hashes) -> None:
        """Of the split's next examples."""
        if split not in self.sorted:
            self._files[split] = NpyFile(self._folder / f"{split}.npy", np.uint64)
            self.sorted[split] = Sorted(self._folder)
        self._files[split].append(hashes)
        self.sorted[split].add(hashes)

    def close(self) -> None:
        """All is written."""
        for file in self._files.values():
            file.close()


def sorted_contents(folder: Path, scratch: Path) -> dict[str, Sorted]:
    """What an earlier profile has left; nothing where it has left nothing. Raises ValueError for what is no such."""
    found: dict[str, Sorted] = {}
    for file in sorted(folder.glob("*.npy")):
        hashes = np.load(file, mmap_mode="r", allow_pickle=False)
        if hashes.dtype != np.uint64 or hashes.ndim != 1:
            raise ValueError(f"{file.name} of the earlier version's profile holds no hashes but {hashes.dtype}")
        found[file.stem] = Sorted(scratch)
        for start in range(0, len(hashes), RUN):
            found[file.stem].add(np.array(hashes[start : start + RUN]))
            forget(hashes)
    return found


@dataclass(frozen=True)
class Same:
    """Examples of one split whose hashes lie in a range, equal ones together."""

    records: Records
    hashes: Hashes
    """Different ones, ascending."""
    starts: Rows
    """Where in the records each begins, with their end as the last."""
    counts: Rows

    @classmethod
    def of(cls, records: Records) -> "Same":
        """Sorted by hash and row."""
        hashes = records["hash"]
        begins = np.ones(len(hashes), bool)
        begins[1:] = hashes[1:] != hashes[:-1]
        starts = np.flatnonzero(begins)
        counts = np.add.reduceat(records["count"], starts) if len(starts) else np.zeros(0, np.int64)
        return cls(records, hashes[starts], np.append(starts, len(hashes)), counts)

    def rows(self, at: int) -> list[int]:
        """The first examples that have the hash in this place."""
        found: list[int] = self.records["row"][self.starts[at] : self.starts[at + 1]][:SHOWN].tolist()
        return found


@dataclass
class Duplicates:
    """Copies within a split."""

    count: int = 0
    groups: dict[str, list[tuple[int, list[int]]]] = field(default_factory=dict)
    """Of each split the largest: how many, and the first of them."""

    def add(self, split: str, same: Same) -> None:
        self.count += int(same.counts.sum()) - len(same.counts)
        several = np.flatnonzero(same.counts > 1)
        best = several[np.argsort(-same.counts[several], kind="stable")][:GROUPS]
        groups = [*self.groups.get(split, ()), *((int(same.counts[at]), same.rows(int(at))) for at in best)]
        self.groups[split] = sorted(groups, key=lambda each: -each[0])[:GROUPS]

    def found(self, index: Index) -> dict[str, Any]:
        """As the statistics have it."""
        groups = [(size, split, rows) for split, those in self.groups.items() for size, rows in those]
        groups.sort(key=lambda each: -each[0])
        return {
            "exampleCount": self.count,
            "groups": [
                {"exampleCount": size, "origins": [_origin(index, split, row) for row in rows]}
                for size, split, rows in groups[:GROUPS]
            ],
        }


@dataclass
class Leakage:
    """Examples of one split that are in another one, or in one of an earlier version."""

    split: str
    other: str
    version: str
    count: int = 0
    first: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    """The first rows, each with the other's first row."""

    def add(self, mine: Same, theirs: Same) -> None:
        places = np.searchsorted(theirs.hashes, mine.hashes)
        inside = places < len(theirs.hashes)
        inside[inside] = theirs.hashes[places[inside]] == mine.hashes[inside]
        at = np.flatnonzero(inside)
        if not len(at):
            return
        self.count += int(mine.counts[at].sum())
        sizes = np.diff(mine.starts)
        rows = mine.records["row"][np.repeat(inside, sizes)]
        others = np.repeat(theirs.records["row"][theirs.starts[places[at]]], sizes[at])
        both = np.concatenate([self.first, np.stack([rows, others], 1)])
        self.first = both[np.argsort(both[:, 0], kind="stable")[:SHOWN]]

    def found(self, index: Index) -> dict[str, Any]:
        """As the statistics have it."""
        samples = []
        for row, other in self.first.tolist():
            sample = {"origin": _origin(index, self.split, row)}
            if not self.version:
                sample["otherOrigin"] = _origin(index, self.other, other)
            samples.append(sample)
        return {
            "split": self.split,
            "otherSplit": self.other,
            "otherVersion": self.version,
            "exampleCount": self.count,
            "samples": samples,
        }


def compare(
    splits: Mapping[str, Sorted], earlier: Mapping[str, Mapping[str, Sorted]]
) -> tuple[Duplicates, list[Leakage]]:
    """Copies, and examples that a model is judged by and that it, or one before it, has seen; `earlier` has the splits
    of earlier versions by these. All are closed then."""
    duplicates = Duplicates()
    every = {"": splits, **earlier}
    leakages = [*_leakages(every)]
    for last in ranges(sum(len(hashes) for each in every.values() for hashes in each.values())):
        same = {
            (version, split): Same.of(hashes.upto(last))
            for version, each in every.items()
            for split, hashes in each.items()
        }
        for split in splits:
            duplicates.add(split, same["", split])
        for leak in leakages:
            leak.add(same["", leak.split], same[leak.version, leak.other])
    for each in every.values():
        for hashes in each.values():
            hashes.close()
    return duplicates, [leak for leak in leakages if leak.count]


def _leakages(every: Mapping[str, Mapping[str, Sorted]]) -> Iterator[Leakage]:
    splits = list(every[""])
    for at, split in enumerate(splits):
        for other in splits[:at]:
            yield Leakage(split, other, "")
    for version, others in every.items():
        for split in splits if version else ():
            for other in others:
                if (split == "train") != (other == "train"):
                    yield Leakage(split, other, version)


def _origin(index: Index, split: str, row: int) -> str:
    return short(index.split(split).origin(row), 500)
