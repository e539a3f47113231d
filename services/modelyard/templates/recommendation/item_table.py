"""The table of items as numbers: float32 [items, width], a row an item of training."""

import re
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.job import context
from modelyard.job.errors import DatasetUnsuitable

FEWEST = 2
"""Items that a word or a category must have to be told apart."""
_WORD = re.compile(r"[\w']+")


def described(items: NDArray[np.bytes_], most: int) -> NDArray[np.float32] | None:
    """What the table says of `items`, which are sorted; None where there is none. A number is standardised, a missing
    one is the mean; of words and categories (several with | between them) the `most` frequent have a column each. Of an
    item that is not in the table nothing is known: it has a row of zeros.

    Raises DatasetUnsuitable where half of the items or more are not in it.
    """
    table = context.data.index.items
    if table is None or not most:
        return None
    columns = context.items()
    key = next(name for name, about in table.features.items() if about.role == "item")
    listed = np.asarray(columns[key]).astype(np.bytes_)
    order = np.argsort(listed, kind="stable")
    places = np.searchsorted(listed[order], items).clip(max=max(0, len(listed) - 1))
    there = listed[order][places] == items if len(listed) else np.zeros(len(items), np.bool_)
    _say_missing(items, there)
    items, rows = items[there], order[places[there]]
    parts: list[NDArray[np.float32]] = []
    words: list[set[str]] = [set() for _ in items]
    for name, about in table.features.items():
        values = np.asarray(columns[name])[rows]
        if about.role != "input":
            continue
        if about.kind == "number":
            parts.append(_standard(values))
        elif about.kind in ("text", "category"):
            for found, value in zip(words, values, strict=True):
                text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
                split = text.split("|") if about.kind == "category" else _WORD.findall(text.lower())
                found.update(f"{name}={each.strip()}" for each in split if each.strip())
    parts += _told_apart(words, most)
    if not parts:
        return None
    values = np.zeros((len(there), sum(part.shape[1] for part in parts)), np.float32)
    values[there] = np.concatenate(parts, axis=1)
    return values


def _say_missing(items: NDArray[np.bytes_], there: NDArray[np.bool_]) -> None:
    """Raises DatasetUnsuitable."""
    missing = items[~there]
    if not len(missing):
        return
    names = ", ".join(repr(each.decode(errors="replace")) for each in missing[:3])
    said = (
        f"{len(missing):,} of the {len(items):,} items that were chosen are not in the table of items: "
        f"{names}{' …' if len(missing) > 3 else ''}"
    )
    if 2 * len(missing) >= len(items):
        raise DatasetUnsuitable(
            f"{said}; add them, or leave the table unread with --set item_values=0", field="parameters.item_values"
        )
    context.report_text("items", f"{said}; nothing else is known of these")


def _standard(values: NDArray[Any]) -> NDArray[np.float32]:
    exact = values.astype(np.float64)
    known = np.isfinite(exact)
    mean = exact[known].mean() if known.any() else 0.0
    deviation = exact[known].std() if known.any() else 1.0
    standard = np.where(known, (exact - mean) / (deviation or 1.0), 0.0)
    return standard.clip(-10, 10).astype(np.float32)[:, np.newaxis]


def _told_apart(words: list[set[str]], most: int) -> list[NDArray[np.float32]]:
    counts = Counter(word for found in words for word in found)
    frequent = sorted(
        (word for word, count in counts.items() if count >= FEWEST), key=lambda word: (-counts[word], word)
    )
    places = {word: place for place, word in enumerate(frequent[:most])}
    if not places:
        return []
    table = np.zeros((len(words), len(places)), np.float32)
    for row, found in enumerate(words):
        chosen = [places[word] for word in found if word in places]
        table[row, chosen] = 1 / max(1, len(chosen)) ** 0.5
    return [table]
