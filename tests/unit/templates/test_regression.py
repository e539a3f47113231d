import math

import numpy as np
import pytest

from modelyard.templates.evaluate.regression import Regression

TRUE = np.array([1.0, 2.0, 4.0, 5.0])
ANSWERED = np.array([1.5, 2.0, 3.0, 7.0])


def found(batches: int, offset: float = 0.0) -> dict[str, float]:
    regression = Regression()
    for true, answered in zip(np.array_split(TRUE, batches), np.array_split(ANSWERED, batches), strict=True):
        regression.add(true + offset, answered + offset)
    return regression.metrics()


@pytest.mark.parametrize("batches", [1, 2, 3, 4, 6])
def test_the_numbers_are_those_worked_out_by_hand_in_any_batches(batches: int) -> None:
    # Errors 0.5, 0, -1, 2; the true values' mean is 3 and their squared deviations sum to 10.
    assert found(batches) == pytest.approx(
        {"mae": 3.5 / 4, "rmse": math.sqrt(5.25 / 4), "bias": 1.5 / 4, "r2": 1 - 5.25 / 10}
    )


def test_a_large_offset_costs_no_digits() -> None:
    assert found(2, 1e8)["r2"] == pytest.approx(1 - 5.25 / 10, rel=1e-9)


def test_there_is_no_r2_where_all_true_values_are_the_same() -> None:
    regression = Regression()
    regression.add(np.array([2.0, 2.0]), np.array([1.0, 3.0]))
    assert set(regression.metrics()) == {"mae", "rmse", "bias"}


def test_intervals_are_about_what_drawing_again_gives() -> None:
    random = np.random.default_rng(0)
    true = random.gamma(2.0, 50.0, 800)
    regression = Regression()
    regression.add(true, true * 0.9 + random.normal(size=800) * 20)
    drawn = []
    for _ in range(500):
        rows = random.integers(0, 800, 800)
        again = Regression()
        again.add(true[rows], regression.answered[rows])
        drawn.append(again.metrics())
    found, metrics = regression.intervals(), regression.metrics()
    assert set(found) == set(metrics)
    for name, (low, high) in found.items():
        expected = np.quantile([each[name] for each in drawn], [0.025, 0.975])
        np.testing.assert_allclose([low, high], expected, atol=0.15 * (high - low))
        assert low < metrics[name] < high


def test_one_example_has_no_interval() -> None:
    regression = Regression()
    regression.add(np.array([1.0]), np.array([2.0]))
    assert regression.intervals() == {}
