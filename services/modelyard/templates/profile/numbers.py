"""Numbers, summed up while they go by: memory does not grow with how many there are."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.templates.profile.frequencies import Hashes, mixed
from modelyard.templates.profile.room import NUMBERS

BINS = 40
"""A histogram has at most so many."""
FRACTIONS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)

_FINEST = -1060

Floats = NDArray[np.float64]


class Histogram:
    """Exact counts in bins whose width is a power of two (at least `finest`) and doubles when they do not suffice."""

    def __init__(self, finest: float = 0.0) -> None:
        self._finest = finest
        self._exponent: int | None = None
        self._first = 0
        self._counts = np.zeros(0, np.int64)

    def add(self, values: Floats, counts: NDArray[np.int64] | None = None) -> None:
        """Finite numbers; with `counts`, each as often as that."""
        if not len(values):
            return
        low, high = float(values.min()), float(values.max())
        if self._exponent is None:
            self._exponent = _exponent(high - low, self._finest, _magnitude(low, high))
            self._first = math.floor(math.ldexp(low, -self._exponent))
        self._widen(low, high)
        width = math.ldexp(1.0, self._exponent or 0)
        places = np.floor(values / width).astype(np.int64) - self._first
        if counts is None:
            self._counts += np.bincount(places, minlength=len(self._counts))
        else:
            self._counts += np.bincount(places, counts, len(self._counts)).astype(np.int64)

    def _widen(self, low: float, high: float) -> None:
        """Make the bins reach from low to high."""
        assert self._exponent is not None
        # More than 2**50 bins from zero would be more than a float tells apart.
        while self._exponent < _magnitude(low, high) - 50:
            self._halve()
        while True:
            first = math.floor(math.ldexp(low, -self._exponent))
            last = math.floor(math.ldexp(high, -self._exponent))
            if len(self._counts):
                first, last = min(first, self._first), max(last, self._first + len(self._counts) - 1)
            if last - first < BINS:
                break
            self._halve()
        grown = np.zeros(last - first + 1, np.int64)
        grown[self._first - first : self._first - first + len(self._counts)] = self._counts
        self._first, self._counts = first, grown

    def _halve(self) -> None:
        """Two bins become one."""
        assert self._exponent is not None
        self._exponent += 1
        if len(self._counts):
            places = (np.arange(len(self._counts)) + self._first) // 2
            self._first //= 2
            self._counts = np.bincount(places - self._first, self._counts).astype(np.int64)

    def found(self) -> dict[str, Any] | None:
        """As the statistics have it; None where there was nothing."""
        if self._exponent is None:
            return None
        edges = np.arange(self._first, self._first + len(self._counts) + 1)
        bounds = [math.ldexp(float(edge), self._exponent) for edge in edges]
        return {"bounds": [min(max(each, -1.7e308), 1.7e308) for each in bounds], "counts": self._counts.tolist()}


def _exponent(span: float, finest: float, magnitude: int) -> int:
    """Of the width of the first bins: about BINS make the span, or as fine as floats are where there is none."""
    least = max(math.frexp(finest)[1] - 1 if finest else _FINEST, magnitude - 50)
    return max(least, math.frexp(span / BINS)[1]) if 0 < span < math.inf else least


def _magnitude(low: float, high: float) -> int:
    """Both are less than two to the power of this."""
    return math.frexp(max(abs(low), abs(high)))[1]


class Numbers:
    """Least, greatest, mean, deviation, quantiles and histogram of numbers; those that are none are counted.

    Quantiles are exact up to `drawn` numbers; beyond that they are those of as many drawn ones. 0: there are none.
    """

    def __init__(self, finest: float = 0.0, drawn: int = NUMBERS) -> None:
        self._drawn = drawn
        self.count = 0
        self.not_a_number = 0
        self.infinite = 0
        self.minimum, self.maximum = math.inf, -math.inf
        self._mean = 0.0
        self._deviation = 0.0
        self._histogram = Histogram(finest)
        self._sample: list[Floats] = []
        self._sampled = 0
        self._keys: list[Hashes] = []
        self._last: np.uint64 | None = None
        """The largest key that is drawn; None as long as all are."""
        self._given = 0

    def add(self, values: NDArray[Any]) -> None:
        """Any shape."""
        numbers = np.asarray(values, np.float64).ravel()
        finite = np.isfinite(numbers)
        if not finite.all():
            missing = int(np.isnan(numbers).sum())
            self.not_a_number += missing
            self.infinite += int((~finite).sum()) - missing
            numbers = numbers[finite]
        if not len(numbers):
            return
        mean = float(numbers.mean())
        self._moments(len(numbers), mean, float(((numbers - mean) ** 2).sum()))
        self._reach(float(numbers.min()), float(numbers.max()))
        self._histogram.add(numbers)
        if self._drawn:
            self._draw(numbers)

    def add_levels(self, counts: NDArray[np.int64]) -> None:
        """Of pixels: counts[v] of them have the value v."""
        there = np.flatnonzero(counts)
        if not len(there):
            return
        levels, many = there.astype(np.float64), counts[there]
        total = int(many.sum())
        mean = float((levels * many).sum() / total)
        self._moments(total, mean, float(((levels - mean) ** 2 * many).sum()))
        self._reach(float(levels[0]), float(levels[-1]))
        self._histogram.add(levels, many)

    def _reach(self, low: float, high: float) -> None:
        self.minimum, self.maximum = min(self.minimum, low), max(self.maximum, high)

    def _moments(self, count: int, mean: float, deviation: float) -> None:
        """Chan, Golub, LeVeque (1983)."""
        before = self.count
        self.count = before + count
        shift = mean - self._mean
        self._mean += shift * count / self.count
        self._deviation += deviation + shift * shift * before * count / self.count

    def _draw(self, numbers: Floats) -> None:
        """A uniform sample: the numbers with the smallest of random keys, which are a SplitMix64 stream."""
        places = np.arange(self._given, self._given + len(numbers), dtype=np.uint64)
        self._given += len(numbers)
        keys = mixed(places, np.zeros(1, np.uint64))
        if self._last is not None:
            chosen = keys < self._last
            numbers, keys = numbers[chosen], keys[chosen]
        self._sample.append(numbers)
        self._keys.append(keys)
        self._sampled += len(numbers)
        if self._sampled > 2 * self._drawn:
            self._settle()

    def _settle(self) -> None:
        keys, sample = np.concatenate(self._keys), np.concatenate(self._sample)
        order = (
            np.argpartition(keys, self._drawn - 1)[: self._drawn] if len(keys) > self._drawn else np.arange(len(keys))
        )
        self._keys, self._sample, self._sampled = [keys[order]], [sample[order]], len(order)
        if len(order) == self._drawn:
            self._last = keys[order].max()

    @property
    def mean(self) -> float:
        """0 where there are none."""
        return self._mean

    @property
    def deviation(self) -> float:
        """Of all that were given, not an estimate for more."""
        return math.sqrt(self._deviation / self.count) if self.count else 0.0

    def found(self) -> dict[str, Any] | None:
        """As the statistics have it; None where there are no numbers."""
        if not self.count:
            return None
        found: dict[str, Any] = {
            "minimum": self.minimum,
            "maximum": self.maximum,
            "mean": self._mean,
            "standardDeviation": self.deviation,
            "histogram": self._histogram.found(),
        }
        if self._sample:
            self._settle()
            values = np.quantile(self._sample[0], FRACTIONS, method="inverted_cdf")
            found["quantiles"] = [
                {"fraction": fraction, "value": float(value)} for fraction, value in zip(FRACTIONS, values, strict=True)
            ]
        return {key: value for key, value in found.items() if not isinstance(value, float) or math.isfinite(value)}

    def length(self, unit: str) -> dict[str, Any]:
        """As the statistics have a measure."""
        return {
            "unit": unit,
            "minimum": self.minimum,
            "mean": self._mean,
            "maximum": self.maximum,
            "histogram": self._histogram.found(),
        }
