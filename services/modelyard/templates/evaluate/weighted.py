"""A forecast that needs no network: each step ahead is a weighted sum of the window, by ridge regression."""

import numpy as np
from numpy.typing import NDArray

from modelyard.templates.windows import Windows

_PENALTY = 1.0
"""For each window that is learnt from, a thousandth of this."""


class WeightedSums:
    """Learnt from windows, whose mean is taken off first; what is missing counts as that mean."""

    def __init__(self, train: Windows) -> None:
        given, mean = _centred(train.history)
        known = np.isfinite(train.truth).all(axis=1)
        given, wanted = given[known], (train.truth - mean)[known].astype(np.float64)
        square = given.T @ given
        square[np.diag_indices_from(square)] += _PENALTY * 1e-3 * np.trace(square) / len(square)
        self._weights = np.linalg.solve(square, given.T @ wanted)

    def forecast(self, asked: Windows) -> NDArray[np.float32]:
        """[n, horizon]."""
        given, mean = _centred(asked.history)
        return (given @ self._weights + mean).astype(np.float32)


def _centred(history: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[n, window + 1], the last column constant, and the mean [n, 1]."""
    known = np.isfinite(history)
    mean = np.where(known, history, 0).sum(1, keepdims=True, dtype=np.float64) / np.maximum(
        known.sum(1, keepdims=True), 1
    )
    values = np.where(known, history - mean, 0.0)
    return np.concatenate([values, np.ones((len(values), 1))], axis=1), mean
