"""Examples that are there more than once: in a split, in two, or in an earlier version of the dataset.

What counts is the content of an example's inputs, byte by byte (of a table and of interactions: of the whole row),
as a 64-bit hash, 8 bytes an example in memory: of a million examples two that differ are taken for equal once in 37
million times.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from modelyard.job.index import Index
from modelyard.layouts import Description
from modelyard.templates.profile.frequencies import Hashes
from modelyard.templates.profile.texts import short

CONTENT = "content"
"""The folder in the output: <split>.npy, what a later version's profile compares with."""
GROUPS, SHOWN = 20, 20
_ROWS = ("table", "interactions")


def counting(description: Description) -> tuple[str, ...]:
    """The features that make two examples copies of each other."""
    if description.modality in _ROWS:
        return tuple(feature.name for feature in description.features if feature.role != "ignore")
    return tuple(feature.name for feature in description.inputs)


@dataclass
class Contents:
    """The hashes of each split's examples, in their order."""

    splits: Mapping[str, Hashes]

    def duplicates(self, index: Index) -> dict[str, Any]:
        """As the statistics have it: copies within a split."""
        count = 0
        groups: list[tuple[int, str, Sequence[int]]] = []
        for split, hashes in self.splits.items():
            order = np.argsort(hashes, kind="stable")
            ordered = hashes[order]
            starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
            sizes = np.diff(np.append(starts, len(ordered)))
            count += len(ordered) - len(starts)
            several = np.flatnonzero(sizes > 1)
            for at in several[np.argsort(-sizes[several], kind="stable")][:GROUPS]:
                groups.append((int(sizes[at]), split, order[starts[at] : starts[at] + sizes[at]][:SHOWN].tolist()))
        groups.sort(key=lambda each: -each[0])
        return {
            "exampleCount": count,
            "groups": [
                {"exampleCount": size, "origins": [_origin(index, split, row) for row in rows]}
                for size, split, rows in groups[:GROUPS]
            ],
        }

    def leakages(self, index: Index, earlier: "Contents", earlier_version: str) -> list[dict[str, Any]]:
        """As the statistics have it: examples that a model is judged by, and that it, or one before it, has seen."""
        found = []
        names = list(self.splits)
        pairs = [(split, other) for at, split in enumerate(names) for other in names[:at]]
        for split, other in pairs:
            found.append(self._leakage(index, split, other, self, ""))
        for split in names:
            for other in earlier.splits:
                if (split == "train") != (other == "train"):
                    found.append(self._leakage(index, split, other, earlier, earlier_version))
        return [each for each in found if each["exampleCount"]]

    def _leakage(self, index: Index, split: str, other: str, others: "Contents", version: str) -> dict[str, Any]:
        theirs = others.splits[other]
        known, first = np.unique(theirs, return_index=True)
        mine = self.splits[split]
        places = np.searchsorted(known, mine)
        inside = places < len(known)
        inside[inside] = known[places[inside]] == mine[inside]
        rows = np.flatnonzero(inside)
        samples = []
        for row in rows[:SHOWN].tolist():
            sample = {"origin": _origin(index, split, row)}
            if not version:
                sample["otherOrigin"] = _origin(index, other, int(first[places[row]]))
            samples.append(sample)
        return {
            "split": split,
            "otherSplit": other,
            "otherVersion": version,
            "exampleCount": len(rows),
            "samples": samples,
        }

    def write(self, folder: Path) -> None:
        """For the profiles of later versions."""
        folder.mkdir(parents=True, exist_ok=True)
        for split, hashes in self.splits.items():
            np.save(folder / f"{split}.npy", hashes, allow_pickle=False)


def read_contents(folder: Path) -> Contents:
    """What an earlier profile has left; nothing where it has left nothing. Raises ValueError for what is no such."""
    splits = {}
    for file in sorted(folder.glob("*.npy")):
        hashes = np.load(file, allow_pickle=False)
        if hashes.dtype != np.uint64 or hashes.ndim != 1:
            raise ValueError(f"{file.name} of the earlier version's profile holds no hashes but {hashes.dtype}")
        splits[file.stem] = hashes
    return Contents(splits)


def _origin(index: Index, split: str, row: int) -> str:
    return short(index.split(split).origin(row), 500)
