"""Numbers that go by portion by portion are summed up as if they had been there at once."""

import math
from itertools import chain, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.templates.profile.numbers import BINS, Numbers
from modelyard.templates.profile.room import NUMBERS

FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(st.lists(st.lists(FLOATS, max_size=20), min_size=1, max_size=6))
def test_portions_give_what_the_whole_gives(portions: list[list[float]]) -> None:
    numbers = Numbers()
    for portion in portions:
        numbers.add(np.array(portion, np.float32))
    whole = np.array(list(chain(*portions)), np.float64)
    assert numbers.count == len(whole)
    found = numbers.found()
    if found is None:
        assert not len(whole)
        return
    assert found["minimum"] == whole.min()
    assert found["maximum"] == whole.max()
    scale = np.abs(whole).max() or 1.0
    assert found["mean"] == pytest.approx(whole.mean(), abs=1e-9 * scale)
    assert found["standardDeviation"] == pytest.approx(whole.std(), abs=1e-6 * scale)


@given(st.lists(st.lists(FLOATS, max_size=20), min_size=1, max_size=6))
def test_a_histogram_counts_every_number_in_its_interval(portions: list[list[float]]) -> None:
    numbers = Numbers()
    for portion in portions:
        numbers.add(np.array(portion, np.float64))
    whole = np.array(list(chain(*portions)), np.float64)
    if not len(whole):
        return
    found = numbers.found()
    assert found is not None
    histogram = found["histogram"]
    bounds, counts = histogram["bounds"], histogram["counts"]
    assert len(bounds) == len(counts) + 1 <= BINS + 1
    assert all(math.isfinite(bound) for bound in bounds)
    assert counts == [
        int(((whole >= low) & ((whole < high) | (high == bounds[-1]))).sum()) for low, high in pairwise(bounds)
    ]


def test_few_numbers_have_their_exact_quantiles() -> None:
    numbers = Numbers()
    numbers.add(np.arange(1, 101))
    assert {each["fraction"]: each["value"] for each in numbers.found()["quantiles"]} == {  # type: ignore[index]
        0.01: 1, 0.05: 5, 0.25: 25, 0.5: 50, 0.75: 75, 0.95: 95, 0.99: 99
    }  # fmt: skip


def test_many_numbers_have_nearly_their_quantiles_whatever_their_order() -> None:
    numbers = Numbers()
    count = 5 * NUMBERS
    for start in range(0, count, 5000):
        numbers.add(np.arange(start, min(count, start + 5000)))
    for each in numbers.found()["quantiles"]:  # type: ignore[index]
        assert each["value"] / count == pytest.approx(each["fraction"], abs=0.01)


def test_what_is_no_number_is_counted_apart() -> None:
    numbers = Numbers()
    numbers.add(np.array([1.0, math.nan, math.inf, -math.inf, 3.0]))
    found = numbers.found()
    assert (numbers.count, numbers.not_a_number, numbers.infinite) == (2, 1, 2)
    assert found is not None
    assert (found["minimum"], found["maximum"]) == (1.0, 3.0)


def test_levels_of_pixels_count_as_so_many_numbers() -> None:
    levels, plain = Numbers(1.0), Numbers(1.0)
    pixels = np.random.default_rng(0).integers(0, 256, 1000)
    levels.add_levels(np.bincount(pixels, minlength=256))
    plain.add(pixels)
    found, wanted = levels.found(), plain.found()
    assert found is not None
    assert wanted is not None
    assert found["mean"] == pytest.approx(wanted["mean"])
    assert found["standardDeviation"] == pytest.approx(wanted["standardDeviation"])
    assert found["histogram"] == wanted["histogram"]
