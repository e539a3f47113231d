import numpy as np
import pytest
from numpy.typing import NDArray

from modelyard.templates.evaluate import retrieval
from modelyard.templates.evaluate.retrieval import compare, pixels


def clusters(apart: float, *, identities: int = 20, each: int = 3) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    random = np.random.default_rng(1)
    middles = random.normal(size=(identities, 16)) * apart
    numbers = np.repeat(np.arange(identities), each)
    return (middles[numbers] + random.normal(size=(len(numbers), 16))).astype(np.float32), numbers


def test_what_lies_together_is_found_and_what_lies_anywhere_is_not() -> None:
    near = compare(*clusters(10)).metrics()
    assert near == {"auc": 1.0, "rank1": 1.0, "rank5": 1.0}
    anywhere = compare(*clusters(0))
    assert anywhere.metrics()["auc"] == pytest.approx(0.5, abs=0.1)
    assert anywhere.metrics()["rank1"] < 0.15
    assert anywhere.chance() == pytest.approx(2 / 59)


def test_the_area_is_the_share_of_pairs_in_the_right_order() -> None:
    found = compare(*clusters(0.7))
    pairs = np.triu_indices(60, 1)
    same, scores = found.same[pairs], found.similarity[pairs]
    counted = np.mean([[one > other for other in scores[~same]] for one in scores[same]])
    assert found.metrics()["auc"] == pytest.approx(counted)


def test_an_interval_holds_the_figure() -> None:
    found = compare(*clusters(0.7))
    metrics, intervals = found.metrics(), found.intervals()
    for name in ("auc", "rank1"):
        low, high = intervals[name]
        assert low < metrics[name] < high
        assert high - low < 0.4


@pytest.mark.parametrize("identities", [2, 3])
def test_of_a_few_identities_draws_with_nothing_to_compare_do_not_count(identities: int) -> None:
    intervals = compare(*clusters(10, identities=identities)).intervals()
    assert intervals == {"auc": (1.0, 1.0), "rank1": (1.0, 1.0)}


def test_where_no_draw_has_two_identities_to_compare_there_is_no_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval, "_REPEATS", 0)
    assert compare(*clusters(10)).intervals() == {}


def test_of_equal_similarities_half_counts_in_the_interval_as_in_the_figure() -> None:
    same = compare(np.ones((12, 4), np.float32), np.repeat(np.arange(4), 3))
    assert same.metrics()["auc"] == 0.5
    assert same.intervals()["auc"] == (0.5, 0.5)


def test_a_picture_is_not_its_own_neighbour_and_one_of_its_kind_alone_is_not_asked_for() -> None:
    vectors = np.array([[1, 0], [1, 0.1], [0, 1]], np.float32)
    found = compare(vectors, np.array([0, 0, 1]))
    assert found.nearest(1)[:, 0].tolist() == [1, 0, 1]
    assert found.metrics()["rank1"] == 1


@pytest.mark.parametrize(("each", "is_there"), [(3, False), (4, True)])
def test_where_all_others_are_among_the_five_nearest_rank_5_says_nothing(each: int, *, is_there: bool) -> None:
    assert ("rank5" in compare(*clusters(0, identities=2, each=each)).metrics()) is is_there


def test_the_threshold_parts_the_same_from_others() -> None:
    found = compare(*clusters(10))
    pairs = np.triu_indices(60, 1)
    accepted = found.similarity[pairs] >= found.threshold()
    assert (accepted == found.same[pairs]).all()


def test_pixels_are_compared_without_what_all_pictures_have() -> None:
    random = np.random.default_rng(0)
    pictures = random.integers(0, 255, (6, 64, 48, 3)).astype(np.uint8)
    flat = pixels(pictures)
    assert flat.shape == (6, 32 * 32 * 3)
    assert np.abs(flat.mean(0)).max() < 1e-3
    corner = pictures[:, :32, :32]
    assert np.allclose(pixels(corner), (corner - corner.mean(0)).reshape(6, -1), atol=1e-3)
