"""Which pictures are compared with each other where there are too many of them. NumPy only."""

import numpy as np
from numpy.typing import NDArray

from modelyard.job.spread import spread


def compared(identities: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Places of at most so many pictures, rising; `identities` [n] are rising too. All where they are no more.

    Of as many identities as that holds with two pictures or more, of each the same number at most: the first pictures
    alone may all be of one identity, or each of another, and then there is nothing to compare. Identities with one
    picture, which are only compared with others, get half of the places at most, and what else is left.
    """
    if len(identities) <= most:
        return np.arange(len(identities))
    starts = np.flatnonzero(np.diff(identities, prepend=identities[0] - 1))
    counts = np.diff(starts, append=len(identities))
    alone, several = np.flatnonzero(counts == 1), np.flatnonzero(counts > 1)
    room = most - min(len(alone), most // 2)
    several = several[spread(len(several), room // 2)]
    each = 2
    while each < counts[several].max(initial=0) and np.minimum(counts[several], each + 1).sum() <= room:
        each += 1
    places = [starts[at] + spread(int(counts[at]), each) for at in several.tolist()]
    alone = alone[spread(len(alone), most - sum(map(len, places)))]
    return np.sort(np.concatenate([*places, starts[alone]]))
