"""Running text of a dataset: what text generation learns from, and what an evaluation judges with."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from modelyard.job.errors import DatasetUnsuitable

if TYPE_CHECKING:
    from modelyard.job.index import Index
    from modelyard.job.session import Context

LINES = "lines"
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Document:
    """One text."""

    name: str
    """Its file, or where the example comes from."""
    text: str


def text_feature(context: "Context", asked: str = "") -> str:
    """The text that is read, the one that is asked for or the only one. Raises DatasetUnsuitable."""
    texts = [each.name for each in context.features.values() if each.kind == "text" and each.role != "ignore"]
    if asked and asked not in texts:
        raise DatasetUnsuitable(
            f"the dataset has no text {asked!r}; it has {', '.join(texts) or 'none'}", field="parameters.text"
        )
    if not asked and len(texts) != 1:
        raise DatasetUnsuitable(
            f"the dataset has {len(texts)} texts ({', '.join(texts)}); say which one to read: --set text={texts[0]}"
            if texts
            else f"the dataset has no text; it has {', '.join(context.features)}",
            field="parameters.text",
        )
    return asked or texts[0]


def documents(context: "Context", split: str, feature: str) -> list[Document]:
    """Of files that are read line by line each file is one, its empty lines among them; else each example. Where a hash
    has split the lines (`is_cut`) the split is a stretch of all text instead, train's first, of the share that the hash
    was told. Raises DatasetUnsuitable for a split that is not there."""
    index, start = context.data.index, 0
    rows: Iterator[tuple[str, int, str]] = (
        (split, row, origin) for row, origin in enumerate(index.split(split).origins())
    )
    if is_cut(context):
        start, end = _stretch(index, split)
        rows = islice(_in_order(index), start, end)
    texts = (
        (origin, index.split(name).column(feature).read(row).decode("utf-8", "replace")) for name, row, origin in rows
    )
    if index.description.layout != LINES:
        return [Document(origin, text) for origin, text in texts if text]
    return list(_files(texts, begun=start > 0))


def is_cut(context: "Context") -> bool:
    """Whether a hash has split the lines of files: a text with holes to learn from, lines without their neighbours to
    judge with."""
    description = context.data.index.description
    by_hash = description.split_rule.by == "hash" and not any(description.files.values())
    return description.layout == LINES and by_hash


def _stretch(index: "Index", split: str) -> tuple[int, int]:
    """The first of its lines and the one behind its last, of all lines. Equal lines have one hash, so how many it has
    given to a split may be far from its share."""
    held_out = {name: share for name, share in index.description.split_rule.held_out.items() if index.splits.get(name)}
    shares = {"train": 100 - sum(held_out.values()), **held_out}
    before = sum(shares.get(name, 0) for name in takewhile(lambda name: name != split, SPLITS))
    lines = sum(index.splits.values())
    return lines * before // 100, lines * (before + shares.get(split, 0)) // 100


def _in_order(index: "Index") -> Iterator[tuple[str, int, str]]:
    """Split, row and origin of all lines, as they follow each other in the files."""
    places = {path: place for place, path in enumerate(index.description.files)}

    def lines(split: str) -> Iterator[tuple[int, int, str, int, str]]:
        for row, origin in enumerate(index.split(split).origins()):
            path, _, number = origin.rpartition(":")
            yield places[path], int(number), split, row, origin

    for *_, split, row, origin in heapq.merge(*map(lines, index.splits)):
        yield split, row, origin


def _files(rows: Iterator[tuple[str, str]], *, begun: bool) -> Iterator[Document]:
    """Empty lines are no examples, but the lines' numbers tell where they were. `begun`: what stands before the first
    line is another split's."""
    path, last, parts = "", 0, list[str]()
    for origin, text in rows:
        file, _, number = origin.rpartition(":")
        if file != path:
            if parts:
                yield Document(path, "".join(parts))
            path, last, parts = file, int(number) - 1 if begun else 0, []
            begun = False
        parts.append("\n" * (int(number) - last - 1) + text + "\n")
        last = int(number)
    if parts:
        yield Document(path, "".join(parts))


def code_points(text: str) -> NDArray[np.uint32]:
    """One number a symbol."""
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)
