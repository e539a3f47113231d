"""A prepared dataset: its columns, and what they are.

    packs/<pack>                      the tree's packs, named by `pack_path`
    unpacked/<split>.<feature>.bin    what does not lie in the tree as it is: texts of tables, boxes, unpacked images
    columns/<split>/<feature>.npy     see `columns`; split `items`: what an interaction's items are
    origins/<split>.txt               one line an example: its path in the tree, `path:line` for rows
    problems.jsonl                    what could not be used: {"path", "row", "reason"}; row 0 = the whole file
    index.json                        {"format": 2, "description", "features", "splits": {name: n}, "items": n, "files",
                                      "problems": n}

`modelyard.job.indexing` writes it and verifies what the description claims; here it is mapped and trusted. Standard
library and NumPy only.
"""

import json
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import compress, islice
from pathlib import Path

import numpy as np

from modelyard.job.columns import Column, open_column
from modelyard.job.errors import DatasetUnsuitable
from modelyard.job.order import Indices
from modelyard.job.origins import Origins
from modelyard.layouts import Description, DescriptionWrong, Feature, from_json

INDEX_FORMAT = 2
INDEX_FILE = "index.json"
PROBLEMS_FILE = "problems.jsonl"
ITEMS = "items"


def column_path(split: str, feature: str) -> str:
    """Relative to the prepared dataset."""
    return f"columns/{split}/{feature}.npy"


@dataclass(frozen=True)
class Examples:
    """One split of a prepared dataset, mapped into memory, in stored order."""

    name: str
    count: int
    features: Mapping[str, Feature]
    folder: Path
    files: tuple[Path, ...]
    rows: Indices | None = None
    """Which of the stored rows they are, rising; None = all."""
    _columns: dict[str, Column] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.count

    @property
    def key(self) -> str:
        """Names them in files: the split, and which of its rows they are where they are not all."""
        return self.name if self.rows is None else f"{self.name}-{zlib.crc32(self.rows.tobytes()):08x}"

    def without(self, numbers: Collection[int]) -> "Examples":
        """All but these; those behind them move up."""
        if not numbers:
            return self
        rows = np.arange(self.count) if self.rows is None else self.rows
        rows = np.delete(rows, list(numbers))
        return replace(self, count=len(rows), rows=rows, _columns={})

    def column(self, name: str) -> Column:
        """Raises DatasetUnsuitable for a feature that is not there."""
        if name not in self._columns:
            if name not in self.features:
                raise DatasetUnsuitable(f"the dataset has no feature {name!r}; it has {', '.join(self.features)}")
            path = self.folder / column_path(self.name, name)
            column = open_column(self.features[name], path, self.files)
            self._columns[name] = column if self.rows is None else replace(column, values=column.values[self.rows])
        return self._columns[name]

    def origin(self, number: int) -> str:
        """Where the example comes from: a path in the tree, `path:line` for a row of a table."""
        return self._origins[number if self.rows is None else int(self.rows[number])]

    def origins(self, start: int = 0) -> Iterator[str]:
        """The same of every example from this number on, in order; none of them stays in memory."""
        with (self.folder / "origins" / f"{self.name}.txt").open(encoding="utf-8", newline="\n") as lines:
            stored = lines if self.rows is None else compress(lines, self._mask)
            for line in islice(stored, start, self.count):
                yield line.removesuffix("\n")

    def forget(self) -> None:
        """Let go of the memory that what was read of the columns takes in this process."""
        for column in self._columns.values():
            column.forget()

    @cached_property
    def _origins(self) -> Origins:
        return Origins(self.folder / "origins" / f"{self.name}.txt")

    @property
    def _mask(self) -> "list[bool]":
        assert self.rows is not None
        mask = np.zeros(int(self.rows.max(initial=-1)) + 1, bool)
        mask[self.rows] = True
        return mask.tolist()


class Index:
    """A prepared dataset, opened."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError where the folder has no index, and DatasetUnsuitable where another version wrote it."""
        index = json.loads((folder / INDEX_FILE).read_text("utf-8"))
        if index["format"] != INDEX_FORMAT:
            raise DatasetUnsuitable(
                f"the dataset's index has format {index['format']}; this version reads {INDEX_FORMAT}"
            )
        try:
            self.description: Description = from_json(index["description"])
        except DescriptionWrong as error:
            raise DatasetUnsuitable(f"the dataset's index has a description that cannot be read: {error}") from error
        self.folder = folder
        self.splits: dict[str, int] = dict(index["splits"])
        self.items_count = int(index.get("items", 0))
        self.problems = int(index.get("problems", 0))
        """How many examples could not be used; `problems.jsonl` names them."""
        self._files = tuple(folder / file for file in index["files"])
        self._opened: dict[str, Examples] = {}

    @property
    def features(self) -> dict[str, Feature]:
        """What each example has, in the description's order."""
        return {feature.name: feature for feature in self.description.features}

    @property
    def classes(self) -> tuple[str, ...]:
        """Of the only target that is a category; () where there is none."""
        return self.description.classes

    def split(self, name: str) -> Examples:
        """Raises DatasetUnsuitable for a split that the dataset does not have."""
        if name not in self.splits:
            raise DatasetUnsuitable(f"the dataset has no split {name!r}; it has {', '.join(self.splits)}", split=name)
        if name not in self._opened:
            self._opened[name] = Examples(name, self.splits[name], self.features, self.folder, self._files)
        return self._opened[name]

    @property
    def items(self) -> Examples | None:
        """What an interaction's items are, one row an item; None where the dataset has no such table."""
        table = self.description.items
        if table is None:
            return None
        if ITEMS not in self._opened:
            features = {feature.name: feature for feature in table.features}
            self._opened[ITEMS] = Examples(ITEMS, self.items_count, features, self.folder, self._files)
        return self._opened[ITEMS]

    def leave_out(self, examples: Examples, numbers: Collection[int]) -> None:
        """From here on these are no examples of their split: its numbers, counts and columns are those of the rest."""
        rest = self._opened[examples.name] = examples.without(numbers)
        if examples.name == ITEMS:
            self.items_count = len(rest)
        else:
            self.splits[examples.name] = len(rest)

    @property
    def held_out(self) -> str | None:
        """The split that judges a model while it trains: validation, else test, else none."""
        return next((name for name in ("validation", "test") if self.splits.get(name)), None)
