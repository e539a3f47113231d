import numpy as np
import pytest

from modelyard.templates.evaluate.ranking import auc, midranks


def by_pairs(positive: np.ndarray, scores: np.ndarray) -> float:
    """The definition: of all pairs, those in the right order."""
    yes, no = scores[positive][:, None], scores[~positive]
    return float(((yes > no) + 0.5 * (yes == no)).mean())


@pytest.mark.parametrize("decimals", [1, 8])
def test_the_area_is_the_share_of_pairs_in_the_right_order(decimals: int) -> None:
    random = np.random.default_rng(0)
    positive = random.random(300) < 0.3
    scores = np.round(random.normal(size=300) + positive, decimals)
    found = auc(positive, scores)
    assert found is not None
    assert found[0] == pytest.approx(by_pairs(positive, scores), abs=1e-12)


def test_the_interval_is_about_what_drawing_again_gives() -> None:
    random = np.random.default_rng(1)
    positive = random.random(400) < 0.4
    scores = random.normal(size=400) + 1.2 * positive
    found = auc(positive, scores)
    assert found is not None
    drawn = []
    for _ in range(400):
        rows = random.integers(0, 400, 400)
        drawn.append(by_pairs(positive[rows], scores[rows]))
    assert found[1:] == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.01)


def test_equal_values_share_their_ranks() -> None:
    assert midranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [3.5, 1.0, 3.5, 2.0]


def test_there_is_no_area_for_one_class_and_no_narrow_interval_for_one_example() -> None:
    assert auc(np.array([True, True]), np.array([0.1, 0.2])) is None
    assert auc(np.array([True, False, False]), np.array([0.9, 0.2, 0.3])) == (1.0, 0.0, 1.0)
