"""How far one number an example is from the true one, batch by batch.

Means and squared deviations are updated as Chan, Golub and LeVeque do it (1983), so that large offsets cost no digits.
"""

import math

import numpy as np
from numpy.typing import NDArray


class Regression:
    """Sums over the examples so far."""

    def __init__(self) -> None:
        self.examples = 0
        self._absolute = 0.0
        self._squared = 0.0
        self._signed = 0.0
        self._mean = 0.0
        self._deviation = 0.0
        """Sum of squared differences of the true values from their mean."""

    def add(self, true: NDArray[np.float64], answered: NDArray[np.float64]) -> None:
        """[n] each."""
        if not len(true):
            return
        error = answered - true
        self._absolute += float(np.abs(error).sum())
        self._squared += float((error**2).sum())
        self._signed += float(error.sum())
        before, new = self.examples, len(true)
        mean = float(true.mean())
        shift = mean - self._mean
        self.examples = before + new
        self._deviation += float(((true - mean) ** 2).sum()) + shift**2 * before * new / self.examples
        self._mean += shift * new / self.examples

    def metrics(self) -> dict[str, float]:
        """`mae`, `rmse`, `bias` (mean of answered minus true), and `r2` = 1 - squared errors / squared deviations.

        There is no `r2` where all true values are the same.
        """
        found = {
            "mae": self._absolute / self.examples,
            "rmse": math.sqrt(self._squared / self.examples),
            "bias": self._signed / self.examples,
        }
        if self._deviation > 0:
            found["r2"] = 1 - self._squared / self._deviation
        return found
