"""chrF: sequences of one to six characters that an answer shares with its reference, recall counting twice as much.

Popović 2015, "chrF: character n-gram F-score for automatic MT evaluation"; white space does not count, and orders that
answer or reference are too short for are left out, as in sacrebleu (nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no).
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

ORDER, BETA = 6, 2
Counts = NDArray[np.int64]
"""[..., ORDER, 3]: sequences of the answer, of the reference, and those that both have."""


def counts(answer: str, reference: str) -> Counts:
    """Of one example."""
    said, wanted = ("".join(text.split()) for text in (answer, reference))
    found = np.zeros((ORDER, 3), np.int64)
    for order in range(1, ORDER + 1):
        mine, theirs = (_sequences(text, order) for text in (said, wanted))
        found[order - 1] = sum(mine.values()) if theirs else 0, sum(theirs.values()), sum((mine & theirs).values())
    return found


def of_counts(summed: Counts) -> NDArray[np.float64]:
    """chrF, 0 to 100, of one example's counts, or of those that are summed over a corpus: [..., ORDER, 3] -> [...]."""
    mine, theirs, both = summed[..., 0], summed[..., 1], summed[..., 2]
    there = (mine > 0) & (theirs > 0)
    orders = np.maximum(there.sum(axis=-1), 1)
    precision = np.where(there, both / np.maximum(mine, 1), 0.0).sum(axis=-1) / orders
    recall = np.where(there, both / np.maximum(theirs, 1), 0.0).sum(axis=-1) / orders
    weighed = BETA**2 * precision + recall
    return np.asarray(100 * (1 + BETA**2) * precision * recall / np.where(weighed > 0, weighed, 1.0))


def chrf(answers: Sequence[str], references: Sequence[str]) -> float:
    """Of a corpus, 0 to 100."""
    return float(of_counts(np.sum([counts(*pair) for pair in zip(answers, references, strict=True)], axis=0)))


def _sequences(text: str, order: int) -> Counter[str]:
    return Counter(text[at : at + order] for at in range(len(text) - order + 1))
