"""How often values occur, and how many differ."""

from collections import Counter
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.templates.profile.frequencies import Distinct, Frequencies, hash_bytes, hash_numbers

VALUES = st.lists(st.lists(st.binary(max_size=3), max_size=30), max_size=6)


@given(VALUES)
def test_few_values_are_counted_exactly(portions: list[list[bytes]]) -> None:
    counted = Frequencies()
    for portion in portions:
        counted.add(portion)
    assert dict(counted.most(10_000)) == Counter(list(chain(*portions)))


def test_among_too_many_values_the_frequent_ones_stay() -> None:
    counted = Frequencies(most=50)
    for start in range(0, 2000, 20):
        counted.add([b"often"] * 10 + [b"%d" % number for number in range(start, start + 20)])
    (value, count), *_ = counted.most(1)
    assert value == b"often"
    assert 1000 - counted.error <= count <= 1000


@given(VALUES)
def test_few_different_values_are_counted_exactly(portions: list[list[bytes]]) -> None:
    distinct = Distinct()
    for portion in portions:
        distinct.add(hash_bytes(portion))
    assert distinct.count == len(set(chain(*portions)))
    assert not distinct.estimated


def test_many_different_values_are_estimated_within_three_percent() -> None:
    distinct = Distinct()
    for start in range(0, 200_000, 1000):
        distinct.add(hash_numbers(np.arange(start, start + 1000) % 150_000))
    assert distinct.estimated
    assert distinct.count == pytest.approx(150_000, rel=0.03)


def test_equal_numbers_have_equal_hashes_whatever_their_bits() -> None:
    values = np.array([0.0, -0.0, np.nan, np.float32("-nan"), 1.0], np.float32)
    zero, minus_zero, nan, other_nan, one = hash_numbers(values).tolist()
    assert zero == minus_zero
    assert nan == other_nan
    assert len({zero, nan, one}) == 3


def test_rows_are_hashed_as_a_whole() -> None:
    first, second, third = hash_numbers(np.array([[1, 2], [2, 1], [1, 2]], np.int64)).tolist()
    assert first == third != second
