"""How far one number an example is from the true one. Kept are two numbers an example, so that what needs all of them
(quantiles, intervals, pictures) is exact.

Intervals of 95 % take the mean of many examples for normally distributed: of `mae` and `bias` directly, of `rmse` and
`r2` by the delta method (Casella and Berger, Statistical Inference, 2nd ed., §5.5.4), `r2` as the ratio of two means
(Cochran, Sampling Techniques, 3rd ed., §2.11).
"""

import math

import numpy as np
from numpy.typing import NDArray

from modelyard.templates.evaluate.ranking import Z_95

Interval = tuple[float, float]


class Regression:
    """The examples so far."""

    def __init__(self) -> None:
        self._true: list[NDArray[np.float64]] = []
        self._answered: list[NDArray[np.float64]] = []

    def add(self, true: NDArray[np.float64], answered: NDArray[np.float64]) -> None:
        """[n] each."""
        self._true.append(np.asarray(true, np.float64))
        self._answered.append(np.asarray(answered, np.float64))

    @property
    def examples(self) -> int:
        return sum(map(len, self._true))

    @property
    def true(self) -> NDArray[np.float64]:
        """All of them, in order."""
        return np.concatenate(self._true) if self._true else np.zeros(0)

    @property
    def answered(self) -> NDArray[np.float64]:
        """All of them, in order."""
        return np.concatenate(self._answered) if self._answered else np.zeros(0)

    def metrics(self) -> dict[str, float]:
        """`mae`, `rmse`, `bias` (mean of answered minus true), and `r2` = 1 - squared errors / squared deviations.

        There is no `r2` where all true values are the same.
        """
        true = self.true
        error = self.answered - true
        found = {
            "rmse": math.sqrt(float((error**2).mean())),
            "mae": float(np.abs(error).mean()),
            "bias": float(error.mean()),
        }
        deviation = float(((true - true.mean()) ** 2).sum())
        if deviation > 0:
            found["r2"] = 1 - float((error**2).sum()) / deviation
        return found

    def intervals(self) -> dict[str, Interval]:
        """Of the metrics, by name; {} for fewer than two examples."""
        true = self.true
        if len(true) < 2:
            return {}
        error = self.answered - true
        squared = error**2
        low, high = mean_interval(squared)
        found = {
            "rmse": (math.sqrt(max(0.0, low)), math.sqrt(high)),
            "mae": mean_interval(np.abs(error)),
            "bias": mean_interval(error),
        }
        apart = (true - true.mean()) ** 2
        if float(apart.sum()) > 0:
            ratio = float(squared.sum() / apart.sum())
            spread = Z_95 * float((squared - ratio * apart).std(ddof=1)) / (math.sqrt(len(true)) * float(apart.mean()))
            found["r2"] = (1 - ratio - spread, min(1.0, 1 - ratio + spread))
        return found


def mean_interval(values: NDArray[np.float64]) -> Interval:
    """Of the mean of at least two values."""
    spread = Z_95 * float(values.std(ddof=1)) / math.sqrt(len(values))
    return float(values.mean()) - spread, float(values.mean()) + spread
