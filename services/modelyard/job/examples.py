"""The example index: where in the packs example i of a split lies, and its label.

A prepared dataset is a folder:

    packs/<pack>      the tree's packs, named by `pack_path`
    unpacked/<n>      what had to be decompressed (.gz)
    index.bin         24 bytes an example, splits one after another: offset int64, size int64, file int32, label int32
    index.paths       one line an example: its path in the tree (class_folders), for messages that name a file
    index.json        {"format": 1, "classes", "image": {shape, encoding}, "files", "splits": {name: [start, count]}}

`build_index` verifies what the dataset's description claims while it writes; readers map the files and trust them.
Standard library and NumPy only: the worker calls it.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from modelyard.job import class_folders, idx
from modelyard.job.description import Description
from modelyard.job.errors import DatasetDescriptionWrong, DatasetUnsuitable
from modelyard.job.layout import RECORD, Layout, PackFiles
from modelyard.tree import Entry

INDEX_FORMAT = 1
PACKS_FOLDER = "packs"


def pack_path(folder: Path, pack: str) -> Path:
    """Where a prepared dataset keeps a pack, whatever characters its name has."""
    return folder / PACKS_FOLDER / quote(pack, safe="")


def build_index(description: Description, entries: Iterable[Entry], folder: Path) -> dict[str, int]:
    """Write the index of the prepared dataset in `folder`, whose packs are there already; examples by split.

    `entries` is the whole tree, sorted by path. The index appears last and at once, so a folder with index.json is
    complete. Raises DatasetDescriptionWrong, naming the file and what was found.
    """
    by_path = {entry.path: entry for entry in entries}
    files = PackFiles(folder, {entry.pack: pack_path(folder, entry.pack) for entry in by_path.values() if entry.pack})
    layouts = {"class_folders": class_folders.read_layout, "idx": idx.read_layout}
    layout = layouts[description.layout](description, by_path, files)
    _check_counts(description, layout)
    starts: dict[str, tuple[int, int]] = {}
    start = 0
    with (folder / "index.bin").open("wb") as records, (folder / "index.paths").open("w", newline="\n") as paths:
        for name, split in layout.splits.items():
            records.write(split.records.tobytes())
            paths.writelines(f"{path}\n" for path in split.paths)
            starts[name] = (start, len(split.records))
            start += len(split.records)
    index = {
        "format": INDEX_FORMAT,
        "classes": description.classes,
        "image": {"shape": layout.image_shape, "encoding": description.encoding},
        "files": [str(path.relative_to(folder)) for path in files.paths],
        "splits": starts,
    }
    partial = folder / ".index.json"
    partial.write_text(json.dumps(index, indent=1))
    partial.replace(folder / "index.json")
    return {name: count for name, (_, count) in starts.items()}


def _check_counts(description: Description, layout: Layout) -> None:
    for name, split in description.splits.items():
        found = len(layout.splits[name].records) if name in layout.splits else 0
        if found != split.examples:
            raise DatasetDescriptionWrong(
                layout.splits[name].origin if name in layout.splits else name,
                f"split {name!r} has {found} examples; the description claims {split.examples}",
            )
    unclaimed = [name for name, split in layout.splits.items() if len(split.records) and name not in description.splits]
    if unclaimed:
        raise DatasetDescriptionWrong(
            unclaimed[0], "there are examples of this split, but the description does not claim it"
        )
    if not len(layout.splits["train"].records):
        raise DatasetDescriptionWrong(
            layout.splits["train"].origin, "split 'train' has no examples; there is nothing to train on"
        )


@dataclass(frozen=True)
class Examples:
    """One split of a prepared dataset, mapped into memory."""

    name: str
    records: NDArray[np.void]
    """RECORD, one an example, in the order of paths (class_folders) or of the file (idx)."""
    files: tuple[Path, ...]
    folder: Path
    start: int
    """This split's first example among all of the index."""
    image_shape: tuple[int | None, int | None, int | None]
    encoding: str

    def __len__(self) -> int:
        return len(self.records)

    @property
    def labels(self) -> NDArray[np.int64]:
        """Index into the classes, one an example."""
        return self.records["label"].astype(np.int64)

    @cached_property
    def _maps(self) -> dict[int, NDArray[np.uint8]]:
        return {int(n): np.memmap(self.files[n], np.uint8, "r") for n in np.unique(self.records["file"])}

    def read(self, number: int) -> bytes:
        """The stored bytes of one example: an encoded image, or height × width × channels bytes."""
        offset, size, file, _ = self.records[number].item()
        return self._maps[file][offset : offset + size].tobytes()

    @cached_property
    def raw(self) -> NDArray[np.uint8] | None:
        """All images as one mapped array [count, height, width, channels]; None where they are encoded."""
        if self.encoding != "raw" or not len(self.records):
            return None
        offset, _, file, _ = self.records[0].item()
        height, width, channels = self.image_shape
        if not (height and width and channels):
            raise DatasetUnsuitable("the dataset's index has raw images without a shape")
        shape = (len(self.records), height, width, channels)
        return np.memmap(self.files[file], np.uint8, "r", offset, shape)

    def path(self, number: int) -> str:
        """The example's path in the tree; for one file among many examples, the file and a number."""
        with (self.folder / "index.paths").open() as lines:
            for at, line in enumerate(lines):
                if at == self.start + number:
                    return line.rstrip("\n")
        return f"{self.files[self.records[number]['file']].name}[{number}]"


class Index:
    """A prepared dataset, opened."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError where the folder has no index, and DatasetUnsuitable where a later version wrote it."""
        index = json.loads((folder / "index.json").read_text())
        if index["format"] != INDEX_FORMAT:
            raise DatasetUnsuitable(
                f"the dataset's index has format {index['format']}; this version reads {INDEX_FORMAT}"
            )
        self.folder = folder
        self.classes: tuple[str, ...] = tuple(index["classes"])
        self.image_shape: tuple[int | None, int | None, int | None] = tuple(index["image"]["shape"])
        self.encoding: str = index["image"]["encoding"]
        self.splits: dict[str, tuple[int, int]] = {name: tuple(place) for name, place in index["splits"].items()}
        self._files = tuple(folder / file for file in index["files"])
        self._records = np.memmap(folder / "index.bin", RECORD, "r")

    def split(self, name: str) -> Examples:
        """Raises DatasetUnsuitable for a split that the dataset does not have."""
        if name not in self.splits:
            raise DatasetUnsuitable(f"the dataset has no split {name!r}; it has {', '.join(self.splits)}", split=name)
        start, count = self.splits[name]
        records = self._records[start : start + count]
        return Examples(name, records, self._files, self.folder, start, self.image_shape, self.encoding)

    @property
    def held_out(self) -> str | None:
        """The split that judges a model while it trains: validation, else test, else none."""
        return next((name for name in ("validation", "test") if self.splits.get(name, (0, 0))[1]), None)
