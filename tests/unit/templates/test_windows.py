"""Windows of series lie where they should, what is missing stays unknown, and a season repeats."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest

from modelyard.job.errors import DatasetUnsuitable
from modelyard.job.spread import spread
from modelyard.templates.evaluate.weighted import WeightedSums
from modelyard.templates.series import Columns, Grid, Series, iso, lasting, seasons
from modelyard.templates.windows import Windows, absolute, best_season, check, repeated, windows

HOUR = 3600


def grid(length: int, train: int, *, missing: tuple[int, ...] = (), name: bytes = b"a") -> Grid:
    """Counts up; the first `train` steps are training, the others test."""
    values = np.arange(length, dtype=np.float32)
    splits = np.where(np.arange(length) < train, 0, 2).astype(np.int8)
    for place in missing:
        values[place], splits[place] = np.nan, -1
    return Grid(Columns("t", "v"), HOUR, (Series(name, 0, values, splits),), ())


def test_what_came_lies_in_the_split_and_what_it_is_made_from_may_reach_back() -> None:
    train, test = (windows(grid(30, 20), split, 6, 4) for split in ("train", "test"))
    assert [int(each[0]) for each in train.truth] == list(range(6, 17))
    assert [int(each[0]) for each in test.truth] == list(range(20, 27))
    for found in (train, test):
        assert (found.history[:, -1] + 1 == found.truth[:, 0]).all()
        assert (found.start == found.truth[:, 0] * HOUR).all()
        assert all(b - a == 1 for row in found.truth for a, b in pairwise(row.tolist()))


def test_a_window_of_which_less_than_half_is_known_is_none() -> None:
    found = windows(grid(30, 30, missing=(10, 11, 12)), "train", 4, 4)
    begins = (found.start // HOUR).tolist()
    assert 9 not in begins
    assert 10 not in begins
    assert 14 not in begins
    assert {8, 15} <= set(begins)
    assert int(np.isnan(found.truth).sum()) > 0


@pytest.mark.parametrize("most", [1, 5, 60, 10_000])
def test_of_too_many_windows_they_are_taken_evenly_over_all_series(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    lengths = {b"a": 90, b"b": 9, b"c": 40, b"d": 200}
    together = [grid(length, length - 5, missing=(4, 6, 7, 8), name=name).series[0] for name, length in lengths.items()]
    every = [
        (which, at * HOUR, each.values[at - 6 : at], each.values[at : at + 4])
        for which, each in enumerate(together)
        for at in range(6, len(each.values) - 3)
        if (each.splits[at - 6 : at] >= 0).sum() >= 3
        and (each.splits[at : at + 4] >= 0).sum() >= 2
        and (each.splits[at : at + 4] < 1).all()
    ]
    if len(every) > most:
        every = [every[at] for at in spread(len(every), most).tolist()]
    monkeypatch.setattr("modelyard.templates.windows.MOST", most)
    found = windows(Grid(Columns("t", "v", "s"), HOUR, (*together,), ()), "train", 6, 4)
    series, start, history, truth = (np.array(part) for part in zip(*every, strict=True))
    assert np.array_equal(found.series, series)
    assert np.array_equal(found.start, start)
    assert np.array_equal(found.history, history, equal_nan=True)
    assert np.array_equal(found.truth, truth, equal_nan=True)


def test_many_windows_are_counted_before_a_few_of_them_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelyard.templates.windows.MOST", 10)
    long = grid(300_000, 300_000)
    tracemalloc.start()
    windows(long, "train", 1, 1)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 22 << 20


def test_a_season_repeats_what_was_a_season_before_and_fills_gaps_from_the_one_before_that() -> None:
    history = np.array([[1, 2, 3, 4, 5, np.nan, 7, 8]], np.float32)
    assert repeated(history, 6, 4).tolist() == [[5, 2, 7, 8, 5, 2]]
    assert repeated(history, 3, 1).tolist() == [[8, 8, 8]]
    nothing = np.array([[3, np.nan, np.nan, 5]], np.float32)
    assert repeated(nothing, 2, 2).tolist() == [[3, 5]]
    assert repeated(np.array([[6, np.nan, 2, np.nan]], np.float32), 2, 2).tolist() == [[2, 4]]


def test_the_season_that_repeats_best_is_taken() -> None:
    values = np.tile(np.arange(5, dtype=np.float32), 20)
    series = Series(b"", 0, values, np.zeros(100, np.int8))
    found = windows(Grid(Columns("t", "v"), HOUR, (series,), ()), "train", 20, 3)
    assert best_season(found, (4, 5, 7, 40)) == 5
    assert best_season(found, (40,)) == 1
    assert absolute(found.truth, repeated(found.history, 3, 5)) == 0


@pytest.mark.parametrize("horizon", [3, 10])
def test_weighted_sums_learn_each_step_from_the_windows_where_it_is_known(horizon: int) -> None:
    days = np.arange(280)
    weekend = np.isin(days % 7, (5, 6))
    values = np.where(weekend, np.nan, np.sin(days * 2 * np.pi / 7)).astype(np.float32)
    series = Series(b"", 0, values, np.where(weekend, -1, 0).astype(np.int8))
    found = windows(Grid(Columns("t", "v"), 24 * HOUR, (series,), ()), "train", 14, horizon)
    known = np.isfinite(found.truth)
    assert bool(known.all(1).any()) == (horizon == 3), "of ten days two are at least on a weekend"
    assert np.abs(WeightedSums(found).forecast(found) - found.truth)[known].max() < 0.05


def test_a_step_that_is_known_nowhere_is_forecast_as_the_mean_of_the_window() -> None:
    history, start = np.array([[1, 2, 3], [2, 3, 7]], np.float32), np.zeros(2, np.int64)
    found = Windows(history, np.array([[4, np.nan], [4, np.nan]], np.float32), start, start)
    assert WeightedSums(found).forecast(found)[:, 1].tolist() == [2, 4]


def test_series_that_are_too_short_are_named_and_only_they_are_refused() -> None:
    with pytest.raises(DatasetUnsuitable, match="the longest series, a, has 8 steps; a window takes 6 steps of 1 hour"):
        check(grid(8, 8), windows(grid(8, 8), "train", 6, 4), "train", 6, 4)
    both = Grid(Columns("t", "v", "s"), HOUR, (*grid(30, 30).series, *grid(8, 8, name=b"b").series), ())
    (note,) = check(both, windows(both, "train", 6, 4), "train", 6, 4)
    assert "1 series are shorter" in note
    assert "b (8 steps)" in note
    with pytest.raises(DatasetUnsuitable, match="split 'test' has no 4 steps in a row with 6 before them"):
        check(grid(22, 20), windows(grid(22, 20), "test", 6, 4), "test", 6, 4)


@pytest.mark.parametrize(
    ("step", "says", "comes_again"),
    [
        (HOUR, "1 hour", (24, 168)),
        (HOUR // 2, "30 minutes", (48, 336)),
        (24 * HOUR, "1 day", (7,)),
        (7 * 24 * HOUR, "1 week", (52,)),
        (7 * HOUR, "7 hours", (24,)),
    ],
)
def test_steps_have_names_and_seasons(step: int, says: str, comes_again: tuple[int, ...]) -> None:
    assert lasting(step) == says
    assert seasons(step) == comes_again


def test_times_are_written_as_people_write_them() -> None:
    assert iso(1_325_372_400) == "2011-12-31T23:00"
