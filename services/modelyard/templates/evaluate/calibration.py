"""Whether a classifier's probabilities mean what they say.

Reliability diagram, expected and maximum calibration error as in Guo, Pleiss, Sun, Weinberger: "On Calibration of
Modern Neural Networks", ICML 2017, §2: bins of equal width over the probability of the predicted class, (low, high].
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Bin:
    """The examples whose prediction had a probability in (low, high]."""

    low: float
    high: float
    count: int
    confidence: float
    """Their mean probability; the middle of the bin where it is empty."""
    accuracy: float
    """How many of them were right, 0..1; 0 where it is empty."""


class Reliability:
    """Counts batch by batch; memory is a few numbers a bin."""

    def __init__(self, bins: int) -> None:
        self._count = np.zeros(bins, np.int64)
        self._right = np.zeros(bins, np.int64)
        self._confidence = np.zeros(bins)

    def add(self, confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> None:
        """Probability of the predicted class and whether it was the true one, [n] each."""
        bins = len(self._count)
        number = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
        self._count += np.bincount(number, minlength=bins)
        self._right += np.bincount(number, right, bins).astype(np.int64)
        self._confidence += np.bincount(number, confidence, bins)

    @property
    def bins(self) -> list[Bin]:
        """From 0 to 1."""
        edges = np.linspace(0, 1, len(self._count) + 1)
        return [
            Bin(
                float(low),
                float(high),
                int(count),
                float(confidence / count) if count else float(low + high) / 2,
                float(right / count) if count else 0.0,
            )
            for low, high, count, confidence, right in zip(
                edges, edges[1:], self._count, self._confidence, self._right, strict=False
            )
        ]

    @property
    def expected_error(self) -> float:
        """The gap between probability and accuracy, weighted by the bins' examples."""
        total = int(self._count.sum())
        return sum(each.count * abs(each.accuracy - each.confidence) for each in self.bins) / total if total else 0.0

    @property
    def maximum_error(self) -> float:
        """The largest gap of a bin with examples."""
        return max((abs(each.accuracy - each.confidence) for each in self.bins if each.count), default=0.0)
