"""A forecast that needs no network: each step ahead is a weighted sum of the window, by ridge regression."""

import numpy as np
from numpy.typing import NDArray

from modelyard.templates.windows import Windows

_PENALTY = 1.0
"""For each window that is learnt from, a thousandth of this."""


class WeightedSums:
    """Learnt from windows, whose mean is taken off first; what is missing counts as that mean.

    Each step ahead is learnt from the windows where it is known, whatever the others are: in a series without weekends
    no long window is known as a whole. One that is known nowhere is forecast as the mean.
    """

    def __init__(self, train: Windows) -> None:
        given, mean = _centred(train.history)
        wanted = train.truth - mean
        square = given.T @ given
        self._weights = np.zeros((given.shape[1], wanted.shape[1]))
        patterns, of_step = np.unique(np.isfinite(wanted), axis=1, return_inverse=True)
        for number, known in enumerate(patterns.T):
            steps = np.flatnonzero(of_step.reshape(-1) == number)
            if known.any():
                # Mostly few are unknown: to take these off is less work than to add up the others again.
                without = given[~known]
                self._weights[:, steps] = _solved(
                    square - without.T @ without, given[known].T @ wanted[np.ix_(known, steps)]
                )

    def forecast(self, asked: Windows) -> NDArray[np.float32]:
        """[n, horizon]."""
        given, mean = _centred(asked.history)
        return (given @ self._weights + mean).astype(np.float32)


def _solved(square: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """[window + 1, window + 1] and [window + 1, steps] -> weights [window + 1, steps]."""
    square[np.diag_indices_from(square)] += _PENALTY * 1e-3 * np.trace(square) / len(square)
    return np.asarray(np.linalg.solve(square, wanted), np.float64)


def _centred(history: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[n, window + 1], the last column constant, and the mean [n, 1]."""
    known = np.isfinite(history)
    mean = np.where(known, history, 0).sum(1, keepdims=True, dtype=np.float64) / np.maximum(
        known.sum(1, keepdims=True), 1
    )
    values = np.where(known, history - mean, 0.0)
    return np.concatenate([values, np.ones((len(values), 1))], axis=1), mean
