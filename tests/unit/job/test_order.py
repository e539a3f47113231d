import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.job.order import batch_count, batches, blocks, permutation, runs


@given(st.integers(0, 2**63), st.integers(0, 1000), st.integers(0, 200))
def test_an_epoch_shows_every_example_once(seed: int, epoch: int, count: int) -> None:
    assert sorted(permutation(seed, epoch, count)) == list(range(count))


def test_the_order_is_the_same_for_ever() -> None:
    assert permutation(7, 0, 8).tolist() == [4, 1, 6, 3, 2, 7, 5, 0]
    assert permutation(7, 1, 8).tolist() != permutation(7, 0, 8).tolist()
    assert permutation(8, 0, 8).tolist() != permutation(7, 0, 8).tolist()


@given(st.integers(0, 100), st.integers(1, 12), st.integers(0, 12))
def test_starting_late_gives_the_rest_of_the_same_batches(count: int, batch_size: int, start: int) -> None:
    order = np.arange(count)
    whole = batches(order, batch_size)
    assert len(whole) == batch_count(count, batch_size)
    late = batches(order, batch_size, start)
    assert [batch.tolist() for batch in late] == [batch.tolist() for batch in whole[start:]]


@given(st.integers(0, 300), st.integers(1, 12), st.integers(1, 6))
def test_batches_that_are_gathered_together_are_the_same_batches(count: int, batch_size: int, run: int) -> None:
    order = np.arange(count)[::-1]
    expected = [batch.tolist() for batch in batches(order, batch_size)]
    assert [batch.tolist() for rows in runs(order, batch_size, run) for batch in rows] == expected
    cut = blocks(order, batch_size, run)
    assert [batch.tolist() for block in cut for rows in block for batch in rows] == expected
    assert all(rows.shape[0] <= run for rows in runs(order, batch_size, run))


def test_there_is_no_epoch_before_the_first() -> None:
    with pytest.raises((ValueError, OverflowError)):
        permutation(0, -1, 4)
