"""How long a dataset's sounds are and how often they were measured: from their headers, where those say it."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelyard.job.session import Context
from modelyard.layouts import waves
from modelyard.layouts.heads import UnusableError

HIGHEST_RATE = 16_000
"""Samples a second that are taken where nobody says it: speech has little above 8 kHz."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Of the sounds of a split, in stored order."""

    rates: NDArray[np.int64]
    seconds: NDArray[np.float64]

    @property
    def usual_rate(self) -> int:
        """That of most, as far as it is of use."""
        ((rate, _),) = Counter(self.rates[self.rates > 0].tolist()).most_common(1) or [(HIGHEST_RATE, 0)]
        return min(int(rate), HIGHEST_RATE)

    def covering(self, percent: float, most: float) -> float:
        """Seconds that so many of them do not exceed; at most `most`."""
        return float(min(most, np.ceil(100 * np.percentile(self.seconds, percent, method="higher")) / 100))


def lengths(context: Context, split: str, feature: str) -> Lengths:
    """Of the split's examples as they are now; 0 for a file that is no sound."""
    examples = context.data.index.split(split)
    column = examples.column(feature)
    found = []
    for row in range(len(examples)):
        try:
            sound = waves.measured(column.file(row))
            found.append((sound.rate, sound.seconds))
        except UnusableError:
            # It is named and left out once it is to be decoded.
            found.append((0, 0.0))
    return Lengths(np.array([rate for rate, _ in found], np.int64), np.array([each for _, each in found], np.float64))
