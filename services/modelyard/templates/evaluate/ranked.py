"""How well lists of items hit what users chose afterwards. Each user counts the same, whatever it chose.

Recall of the first n is the share of a user's held-out items that are among them, of at most n (Liang et al. 2018,
arXiv:1802.05814, section 4.2). NDCG weighs each hit by its place (Järvelin and Kekäläinen 2002).
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from modelyard.templates.evaluate.regression import Interval, mean_interval

RECALL_AT, GAIN_AT = (10, 50), (10,)
Lists = Sequence[Sequence[bytes]]
Chosen = Sequence[frozenset[bytes]]


def by_user(lists: Lists, chosen: Chosen) -> dict[str, NDArray[np.float64]]:
    """Metric -> its value for each user; `chosen` are not empty."""
    hits = [[item in mine for item in items] for items, mine in zip(lists, chosen, strict=True)]
    found = {
        f"recall_at_{most}": np.array(
            [sum(hit[:most]) / min(most, len(mine)) for hit, mine in zip(hits, chosen, strict=True)], np.float64
        )
        for most in RECALL_AT
    }
    for most in GAIN_AT:
        worth = 1 / np.log2(np.arange(most) + 2)
        found[f"ndcg_at_{most}"] = np.array(
            [
                sum(worth[place] for place, hit_ in enumerate(hit[:most]) if hit_) / worth[: len(mine)].sum()
                for hit, mine in zip(hits, chosen, strict=True)
            ],
            np.float64,
        )
    return found


def means(values: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """Over users."""
    return {name: float(each.mean()) for name, each in values.items()}


def intervals(values: Mapping[str, NDArray[np.float64]]) -> dict[str, Interval]:
    """Of the means, 95 %; {} for one user."""
    found = {name: mean_interval(each) for name, each in values.items() if len(each) > 1}
    return {name: (max(0.0, low), min(1.0, high)) for name, (low, high) in found.items()}


def most_chosen(items: NDArray[np.bytes_]) -> list[bytes]:
    """The items of training, the most frequent first."""
    names, counts = np.unique(items, return_counts=True)
    return [bytes(name) for name in names[np.lexsort((names, -counts))]]


def first_unseen(order: Sequence[bytes], seen: frozenset[bytes], most: int) -> list[bytes]:
    """The first `most` of `order` that are not seen."""
    found: list[bytes] = []
    for item in order:
        if len(found) == most:
            break
        if item not in seen:
            found.append(item)
    return found
