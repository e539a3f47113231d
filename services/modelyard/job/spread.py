"""A few of many, evenly spread: what is shown, measured or asked where all would be too much."""

import numpy as np
from numpy.typing import NDArray


def spread(count: int, most: int) -> NDArray[np.int64]:
    """Of 0 … count - 1 at most so many, rising; the first and the last are among them."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).astype(np.int64)) if count else np.zeros(0, np.int64)
