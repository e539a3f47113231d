"""Which examples a model is asked about, in which order: all of the chosen splits, or each user once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from modelyard.job.errors import DatasetUnsuitable
from modelyard.job.index import Examples, Index
from modelyard.templates.predict.feeding import Rows

LOOKED_AT = 1 << 16
"""Rows whose users are read together."""


@dataclass(frozen=True, slots=True)
class Part:
    """Examples whose answers become one file."""

    split: str
    number: int
    """Of the split's parts, from 0."""
    rows: Rows

    @property
    def file(self) -> str:
        """`test-00000.jsonl`."""
        return f"{self.split}-{self.number:05}.jsonl"


class Asked:
    """The examples of some splits. Raises DatasetUnsuitable where there are none."""

    def __init__(self, index: Index, split: str, user: str = "") -> None:
        """`split` "all" or one of them; `user`: the feature that tells users apart, where each is asked about once."""
        if split != "all" and split not in index.splits:
            raise DatasetUnsuitable(
                f"the dataset has no split {split!r}; it has {', '.join(index.splits)}", field="split"
            )
        self.splits = [index.split(name) for name in index.splits if split in ("all", name)]
        self._rows = _first_of_each(self.splits, user) if user else {}
        self.counts = {each.name: len(self._rows[each.name]) if user else len(each) for each in self.splits}
        self.total = sum(self.counts.values())
        if not self.total:
            raise DatasetUnsuitable(f"split {split!r} has no examples" if split != "all" else "the dataset is empty")

    def parts(self, size: int) -> Iterator[tuple[Examples, Part]]:
        """All of them, so many examples a part."""
        for examples in self.splits:
            for number, start in enumerate(range(0, self.counts[examples.name], size)):
                stop = min(start + size, self.counts[examples.name])
                chosen = self._rows.get(examples.name)
                rows = np.arange(start, stop) if chosen is None else chosen[start:stop]
                yield examples, Part(examples.name, number, rows)


def _first_of_each(splits: list[Examples], user: str) -> Mapping[str, Rows]:
    """Where each user turns up first; memory grows with the users, not with what they did."""
    seen: set[bytes] = set()
    found: dict[str, Rows] = {}
    for examples in splits:
        rows: list[int] = []
        column = examples.column(user)
        for start in range(0, len(examples), LOOKED_AT):
            for row, who in enumerate(column.between(start, min(start + LOOKED_AT, len(examples))).tolist(), start):
                if who not in seen:
                    seen.add(who)
                    rows.append(row)
        found[examples.name] = np.array(rows, np.int64)
    return found
