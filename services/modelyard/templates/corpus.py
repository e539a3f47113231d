"""Running text of a dataset: what text generation learns from, and what an evaluation judges with."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from modelyard.job.errors import DatasetUnsuitable

if TYPE_CHECKING:
    from modelyard.job.session import Context

LINES = "lines"


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
    """Of files that are read line by line each file is one, its empty lines among them; else each example."""
    texts = context.data.index.split(split).column(feature)
    origins = context.data.index.split(split).origins()
    rows = ((origin, texts.read(row).decode("utf-8", "replace")) for row, origin in enumerate(origins))
    if context.data.index.description.layout != LINES:
        return [Document(origin, text) for origin, text in rows if text]
    return list(_files(rows))


def _files(rows: Iterator[tuple[str, str]]) -> Iterator[Document]:
    """Empty lines are no examples, but the lines' numbers tell where they were."""
    path, last, parts = "", 0, list[str]()
    for origin, text in rows:
        file, _, number = origin.rpartition(":")
        if file != path:
            if parts:
                yield Document(path, "".join(parts))
            path, last, parts = file, 0, []
        parts.append("\n" * (int(number) - last - 1) + text + "\n")
        last = int(number)
    if parts:
        yield Document(path, "".join(parts))


def code_points(text: str) -> NDArray[np.uint32]:
    """One number a symbol."""
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)
