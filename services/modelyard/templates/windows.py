"""Windows of series: what a forecast is made from, and what came then; and what is reached by repeating the season."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.job.errors import DatasetUnsuitable
from modelyard.job.spread import spread
from modelyard.templates.series import SPLITS, Grid, Series, lasting

MOST = 200_000
"""Windows of a split; of more, so many are taken, evenly spread."""
KNOWN = 0.5
"""The share of a window's steps that must be known, of what it is made from and of what came then."""


@dataclass(frozen=True, slots=True)
class Windows:
    """n of them."""

    history: NDArray[np.float32]
    """[n, window], NaN where missing."""
    truth: NDArray[np.float32]
    """[n, horizon], NaN where missing."""
    start: NDArray[np.int64]
    """[n], seconds since 1970 of the first step of `truth`."""
    series: NDArray[np.int64]
    """[n], into the grid's."""

    def __len__(self) -> int:
        return len(self.start)

    def where(self, chosen: Any) -> "Windows":
        """Of a mask, or of places."""
        return Windows(self.history[chosen], self.truth[chosen], self.start[chosen], self.series[chosen])


def windows(grid: Grid, split: str, window: int, horizon: int) -> Windows:
    """All windows whose `truth` lies in the split; what they are made from may reach into what was before it."""
    number = SPLITS.index(split)
    places = [_places(series, number, window, horizon) for series in grid.series]
    ends = np.cumsum([len(each) for each in places])
    chosen = spread(int(ends[-1]), MOST)
    begins = np.concatenate(places)[chosen]
    found = Windows(
        np.empty((len(chosen), window), np.float32),
        np.empty((len(chosen), horizon), np.float32),
        np.empty(len(chosen), np.int64),
        np.searchsorted(ends, chosen, side="right"),
    )
    for row, (which, at) in enumerate(zip(found.series.tolist(), begins.tolist(), strict=True)):
        series = grid.series[which]
        found.history[row] = series.values[at - window : at]
        found.truth[row] = series.values[at : at + horizon]
        found.start[row] = series.start + at * grid.step
    return found


def _places(series: Series, split: int, window: int, horizon: int) -> NDArray[np.int64]:
    """Where `truth` begins."""
    at = np.arange(window, len(series.values) - horizon + 1)
    if not len(at):
        return at
    known, of = (_sums(series.splits >= 0), _sums(series.splits == split))
    truth = known[at + horizon] - known[at]
    enough = (truth >= KNOWN * horizon) & (known[at] - known[at - window] >= KNOWN * window)
    return at[enough & (of[at + horizon] - of[at] == truth)]


def _sums(chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(chosen)])


def check(grid: Grid, found: Windows, split: str, window: int, horizon: int) -> list[str]:
    """What to say of series that are too short. Raises DatasetUnsuitable where no window is left."""
    short = [each for each in grid.series if len(each.values) < window + horizon]
    lengths = f"{window:,} steps of {lasting(grid.step)} to forecast from and {horizon:,} to forecast"
    if len(short) == len(grid.series):
        longest = max(short, key=lambda each: len(each.values))
        what = f"the longest series, {_named(longest)}," if longest.name else "the series"
        raise DatasetUnsuitable(
            f"{what} has {len(longest.values):,} steps; a window takes {lengths}. Say --set window=… and horizon=…",
            field="parameters.window",
        )
    if not len(found):
        raise DatasetUnsuitable(
            f"split {split!r} has no {horizon:,} steps in a row with {window:,} before them, of which half are known: "
            f"a window takes {lengths}. Hold out the end of the time: name the files train… and test…",
            field="parameters.window",
        )
    if not short:
        return []
    names = ", ".join(f"{_named(each)} ({len(each.values):,} steps)" for each in short[:5])
    return [f"{len(short):,} series are shorter than a window of {lengths} and left out: {names}"]


def _named(series: Series) -> str:
    return series.name.decode(errors="replace")


def repeated(history: NDArray[np.float32], horizon: int, season: int) -> NDArray[np.float32]:
    """The last season again, [n, horizon]: each step is what it was a season before; where that is missing, two seasons
    before, and so on, and in the end the mean of all that is known."""
    count, window = history.shape
    found = np.full((count, horizon), np.nan, np.float32)
    for step in range(horizon):
        for back in _backwards(window + step, window, season):
            unknown = np.isnan(found[:, step])
            if not unknown.any():
                break
            found[unknown, step] = history[unknown, back]
    known = np.isfinite(history)
    mean = np.where(known, history, 0).sum(1) / np.maximum(known.sum(1), 1)
    return np.where(np.isnan(found), mean[:, None], found).astype(np.float32)


def _backwards(place: int, window: int, season: int) -> Iterator[int]:
    """Places of the history, a season apart."""
    while (place := place - season) >= 0:
        if place < window:
            yield place


def best_season(found: Windows, choices: Sequence[int]) -> int:
    """The season that repeats best, of those that fit into a window; 1 repeats the last value."""
    window, horizon = found.history.shape[1], found.truth.shape[1]
    fitting = [each for each in choices if each <= window] or [1]
    return min(fitting, key=lambda each: absolute(found.truth, repeated(found.history, horizon, each)))


def absolute(truth: NDArray[Any], forecast: NDArray[Any]) -> float:
    """The mean absolute error over what is known."""
    error = np.abs(truth - forecast)
    return float(np.mean(error[np.isfinite(error)]))
