"""How well a score tells two classes apart, whatever threshold is set.

The area under the ROC curve is the chance that an example of the positive class scores higher than one of the other
(Mann-Whitney; of equal scores half). Its interval is DeLong's: DeLong, DeLong, Clarke-Pearson, Biometrics 44 (1988),
worked out with mid-ranks as Sun and Xu do it, IEEE Signal Processing Letters 21 (2014).
"""

import math

import numpy as np
from numpy.typing import NDArray

Z_95 = 1.959963984540054
"""Two-sided 95 % of the normal distribution."""


def auc(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> tuple[float, float, float] | None:
    """The area and its 95 % interval; None where there are examples of one class only. [n] each."""
    yes, no = scores[positive], scores[~positive]
    if not len(yes) or not len(no):
        return None
    ranks = midranks(scores)
    # Of each positive example the share of negative ones that score lower, and the other way round.
    above = (ranks[positive] - midranks(yes)) / len(no)
    below = 1 - (ranks[~positive] - midranks(no)) / len(yes)
    area = float(above.mean())
    if len(yes) < 2 or len(no) < 2:
        return area, 0.0, 1.0
    spread = Z_95 * math.sqrt(above.var(ddof=1) / len(yes) + below.var(ddof=1) / len(no))
    return area, max(0.0, area - spread), min(1.0, area + spread)


def midranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places from 1 in rising order; equal values share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum()
    return np.asarray((last - (counts - 1) / 2)[place])
