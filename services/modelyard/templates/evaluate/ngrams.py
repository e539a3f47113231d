"""What a text costs without a network: by counting what followed the last few symbols, and by compressing it.

Counts are interpolated with those of one symbol less, by how many different symbols followed (Witten and Bell 1991,
"The zero-frequency problem", method C), down to the same chance for all.
"""

import lzma

import numpy as np
from numpy.typing import NDArray

MOST_SYMBOLS = 500
"""Six of so many fit into a number of 63 bits; the rarest beyond it count as one."""
_XZ = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 64 << 20}]


def bits(train: NDArray[np.uint32], judged: NDArray[np.uint32], orders: tuple[int, ...]) -> dict[int, float]:
    """Bits a symbol of `judged` under each order n: the n - 1 symbols before it, as counted in `train`. Code points."""
    found, counts = np.unique(train, return_counts=True)
    known = np.sort(found[np.argsort(-counts, kind="stable")[:MOST_SYMBOLS]])
    base = len(known) + 1
    learnt, asked = _numbered(train, known), _numbered(judged, known)
    chance = np.full(len(asked), 1.0 / base)
    reached = {}
    for order in range(1, max(orders) + 1):
        chance = _interpolated(learnt, asked, order, base, chance)
        if order in orders:
            reached[order] = float(-np.log2(chance).mean())
    return reached


def _numbered(points: NDArray[np.uint32], known: NDArray[np.uint32]) -> NDArray[np.int64]:
    places = np.searchsorted(known, points).clip(max=len(known) - 1)
    return np.where(known[places] == points, places + 1, 0).astype(np.int64)


def _interpolated(
    learnt: NDArray[np.int64], asked: NDArray[np.int64], order: int, base: int, lower: NDArray[np.float64]
) -> NDArray[np.float64]:
    grams, counts = np.unique(_keys(learnt, order, base)[order - 1 :], return_counts=True)
    contexts, first = np.unique(grams // base, return_index=True)
    totals = np.add.reduceat(counts, first)
    kinds = np.diff(np.append(first, len(grams)))
    keys = _keys(asked, order, base)
    seen = _looked_up(grams, counts, keys)
    total, kind = (_looked_up(contexts, values, keys // base) for values in (totals, kinds))
    return np.where(total > 0, (seen + kind * lower) / np.maximum(total + kind, 1), lower)


def _keys(numbers: NDArray[np.int64], order: int, base: int) -> NDArray[np.int64]:
    """Each symbol with those before it, as one number; before the first one there are zeros."""
    keys = np.zeros(len(numbers), np.int64)
    for back in range(order - 1, -1, -1):
        keys *= base
        keys[back:] += numbers[: len(numbers) - back]
    return keys


def _looked_up(names: NDArray[np.int64], values: NDArray[np.int64], asked: NDArray[np.int64]) -> NDArray[np.int64]:
    places = np.searchsorted(names, asked).clip(max=len(names) - 1)
    return np.where(names[places] == asked, values[places], 0)


def compressed(train: str, judged: str) -> float:
    """Bits a symbol that xz needs for `judged` when it has just read `train`."""
    head, tail = train.encode(), judged.encode()
    both, alone = (len(lzma.compress(data, lzma.FORMAT_RAW, filters=_XZ)) for data in (head + tail, head))
    return 8 * (both - alone) / max(1, len(judged))
