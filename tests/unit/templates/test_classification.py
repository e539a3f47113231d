import math

import numpy as np
import pytest

from modelyard.templates.evaluate.calibration import Reliability
from modelyard.templates.evaluate.classification import Classification, wilson
from modelyard.templates.evaluate.matching import match

# Five examples of three classes, worked out by hand: right, right, a taken for b, b taken for c, right.
TRUE = np.array([0, 1, 0, 1, 2])
PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.6, 0.1], [0.1, 0.4, 0.5], [0.2, 0.2, 0.6]])


def judged(batches: int = 1) -> Classification:
    found = Classification(match("abc", "abc", 3), bins=10)
    for true, probabilities in zip(np.array_split(TRUE, batches), np.array_split(PROBABILITIES, batches), strict=True):
        found.add(true, probabilities)
    return found


def test_the_numbers_are_those_worked_out_by_hand() -> None:
    metrics = judged().metrics()
    assert metrics["accuracy"] == pytest.approx(3 / 5)
    # Precision: a 1/1, b 1/2, c 1/2. Recall: a 1/2, b 1/2, c 1/1. F1: a 2/3, b 1/2, c 2/3.
    assert metrics["macro_precision"] == pytest.approx((1 + 1 / 2 + 1 / 2) / 3)
    assert metrics["macro_recall"] == pytest.approx((1 / 2 + 1 / 2 + 1) / 3)
    assert metrics["macro_f1"] == pytest.approx((2 / 3 + 1 / 2 + 2 / 3) / 3)
    assert metrics["log_loss"] == pytest.approx(-sum(map(math.log, (0.7, 0.8, 0.3, 0.4, 0.6))) / 5)
    assert "top5_accuracy" not in metrics


def test_the_table_and_the_confusion_matrix_agree() -> None:
    found = judged()
    assert dict(found.confusion) == {(0, 0): 1, (0, 1): 1, (1, 1): 1, (1, 2): 1, (2, 2): 1}
    assert [(each.name, each.support, each.predicted) for each in found.classes()] == [
        ("a", 2, 1),
        ("b", 2, 2),
        ("c", 1, 2),
    ]


def test_batches_make_no_difference() -> None:
    for batches in (2, 3, 5):
        assert judged(batches).metrics() == pytest.approx(judged().metrics())
        assert judged(batches).confusion == judged().confusion


def test_answers_in_another_order_give_the_same_numbers() -> None:
    found = Classification(match("abc", "cab", 3), bins=10)
    found.add(TRUE, PROBABILITIES[:, [2, 0, 1]])
    assert found.metrics() == pytest.approx(judged().metrics())


def test_examples_of_a_class_that_the_model_does_not_know_are_mistakes_without_log_loss() -> None:
    found = Classification(match("abc", "ab", 2), bins=10)
    judged = found.add(np.array([0, 2]), np.array([[0.9, 0.1], [0.3, 0.7]]))
    assert judged.right.tolist() == [True, False]
    assert judged.true_probability.tolist() == [0.9, 0.0]
    assert found.metrics()["accuracy"] == 0.5
    assert found.metrics()["log_loss"] == pytest.approx(-math.log(0.9))
    assert found.classes()[2].recall == 0.0
    assert found.classes()[2].precision is None


def test_classes_without_examples_do_not_pull_the_means_down() -> None:
    found = Classification(match("abc", "abcd", 4), bins=10)
    found.add(np.array([0, 1]), np.array([[0.7, 0.1, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1]]))
    assert found.metrics()["macro_f1"] == 1.0
    assert found.classes()[3].f1 is None


def test_a_probability_of_nothing_costs_what_keras_makes_of_it() -> None:
    found = Classification(match("ab", "ab", 2), bins=10)
    found.add(np.array([1]), np.array([[1.0, 0.0]]))
    assert found.metrics()["log_loss"] == pytest.approx(-math.log(1e-7))


def test_the_five_likeliest_count_from_ten_classes_on_and_ties_go_to_the_first() -> None:
    found = Classification(match("abcdefghij", "abcdefghij", 10), bins=10)
    equal = np.full((3, 10), 0.1)
    judged = found.add(np.array([0, 4, 5]), equal)
    assert judged.right.tolist() == [True, False, False]
    assert found.metrics()["top5_accuracy"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("right", "examples", "low", "high"),
    [(8, 10, 0.4902, 0.9433), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (9893, 10000, 0.9871, 0.9911)],
)
def test_intervals_are_wilsons(right: int, examples: int, low: float, high: float) -> None:
    assert wilson(right, examples) == pytest.approx((low, high), abs=5e-5)


def test_the_reliability_curve_is_that_of_guo_and_others() -> None:
    reliability = Reliability(10)
    reliability.add(np.array([0.95, 0.95, 0.55, 1.0, 0.5]), np.array([True, False, True, True, False]))
    filled = [each for each in reliability.bins if each.count]
    assert [(each.count, each.accuracy) for each in filled] == [(1, 0.0), (1, 1.0), (3, pytest.approx(2 / 3))]
    assert filled[2].confidence == pytest.approx((0.95 + 0.95 + 1.0) / 3)
    gaps = [0.5, 0.45, (0.95 + 0.95 + 1.0) / 3 - 2 / 3]
    assert reliability.expected_error == pytest.approx((gaps[0] + gaps[1] + 3 * gaps[2]) / 5)
    assert reliability.maximum_error == pytest.approx(0.5)


def test_an_empty_curve_has_no_error() -> None:
    assert Reliability(5).expected_error == Reliability(5).maximum_error == 0.0
