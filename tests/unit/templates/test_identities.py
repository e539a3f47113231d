"""Of too many pictures those are compared that have something to be compared with."""

import numpy as np
import pytest

from modelyard.templates.identities import compared


@pytest.mark.parametrize(
    ("counts", "left"),
    [
        pytest.param([4, 1, 3], [4, 1, 3], id="no more than fit"),
        pytest.param([500, 5, 3], [12, 5, 3], id="the first alone would fill all places"),
        pytest.param([300, 200], [10, 10], id="two with many"),
        pytest.param([1] * 30 + [4], [1] * 16 + [0] * 14 + [4], id="the first are one picture each"),
        pytest.param([1] * 300 + [400], None, id="one with many among ones with one"),
        pytest.param([3] * 100, None, id="more identities than fit with two pictures"),
        pytest.param([50], [20], id="one alone"),
    ],
)
def test_as_many_identities_as_fit_are_compared_with_two_pictures_or_more(
    counts: list[int], left: list[int] | None
) -> None:
    identities = np.repeat(7 + 2 * np.arange(len(counts)), counts)
    places = compared(identities, 20)
    assert (np.diff(places) > 0).all()
    assert len(places) == min(20, len(identities))
    found = np.bincount(identities[places], minlength=7 + 2 * len(counts))[7::2]
    if left is None:
        assert (found > 0).sum() >= 10
        assert ((found > 1) == ((found > 0) & (np.array(counts) > 1))).all()
        assert (found > 1).any()
    elif counts.count(1) < 2:
        assert found.tolist() == left
    else:
        assert sorted(found.tolist()) == sorted(left)


def test_of_an_identity_with_many_pictures_they_are_taken_from_all_over() -> None:
    assert compared(np.repeat([0, 1], [101, 6]), 12).tolist() == [0, 20, 40, 60, 80, 100, *range(101, 107)]
