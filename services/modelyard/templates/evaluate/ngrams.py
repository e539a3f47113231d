"""What a text costs without a network: by counting what followed the last few symbols, and by compressing it.

Counts are interpolated with those of one symbol less, by how many different symbols followed (Witten and Bell 1991,
"The zero-frequency problem", method C), down to the same chance for all.
"""

import lzma

import numpy as np
from numpy.typing import NDArray

MOST_SYMBOLS = 500
"""Six of so many fit into a number of 63 bits; the rarest beyond it count as one in what stands before a symbol, and
are told apart by how often they occur."""
_XZ = [{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 64 << 20}]


def bits(
    train: NDArray[np.uint32], judged: NDArray[np.uint32], orders: tuple[int, ...], apart: int | None = None
) -> dict[int, float]:
    """Bits a symbol of `judged` under each order n: the n - 1 symbols before it, as counted in `train`. Code points;
    all but the `apart` most frequent ones of `train` count as one."""
    symbols = _by_frequency(train)[:apart]
    known, rest = np.sort(symbols[:MOST_SYMBOLS]), np.sort(symbols[MOST_SYMBOLS:])
    base = len(known) + 1
    learnt, asked = _numbered(train, known), _numbered(judged, known)
    share = np.ones(len(asked))
    if len(rest):
        share[asked == 0] = _shares(train[learnt == 0], judged[asked == 0], rest)
    chance = np.full(len(asked), 1.0 / base)
    reached = {}
    for order in range(1, max(orders) + 1):
        chance = _interpolated(learnt, asked, order, base, chance)
        if order in orders:
            reached[order] = float(-np.log2(chance * share).mean())
    return reached


def told_apart(train: NDArray[np.uint32], judged: NDArray[np.uint32], unknown: int) -> int:
    """How many of the most frequent symbols of `train` a model tells apart that takes `unknown` of `judged` for one and
    the same: as many as leave so many of `judged` over. At least 1."""
    symbols = _by_frequency(train)
    if not 0 < unknown <= len(judged):
        return len(symbols)
    order = np.argsort(symbols)
    places = _numbered(judged, symbols[order])
    ranks = np.where(places > 0, order[places - 1], len(symbols))
    return max(1, int(np.sort(ranks)[-unknown]))


def _by_frequency(points: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The most frequent symbol first; of equally frequent ones the smaller code point."""
    found, counts = np.unique(points, return_counts=True)
    return found[np.argsort(-counts, kind="stable")]


def _shares(train: NDArray[np.uint32], judged: NDArray[np.uint32], rest: NDArray[np.uint32]) -> NDArray[np.float64]:
    """[len(judged)]: the chance of each among `rest` and what is not even there, which counts as one."""
    base = len(rest) + 1
    return _interpolated(_numbered(train, rest), _numbered(judged, rest), 1, base, np.full(len(judged), 1 / base))


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
