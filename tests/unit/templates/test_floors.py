import numpy as np
import pytest

from modelyard.templates.evaluate.classification import Classification
from modelyard.templates.evaluate.floors import of_classes, of_numbers
from modelyard.templates.evaluate.matching import match
from modelyard.templates.evaluate.regression import Regression

NAMES = ("a", "b", "c")


def test_a_floor_is_what_a_model_gets_that_always_answers_the_same() -> None:
    training, judged = np.array([20, 70, 10]), np.array([30, 50, 20])
    found = of_classes(training, judged, NAMES, "train")
    constant = Classification(match(NAMES, NAMES, 3), 15)
    constant.add(np.repeat(np.arange(3), judged), np.tile(training / 100, (100, 1)))
    metrics = constant.metrics()
    assert {name: floor["value"] for name, floor in found.items()} == pytest.approx(
        {name: metrics[name] for name in ("accuracy", "log_loss", "macro_f1", "macro_precision", "macro_recall")}
    )
    assert found["accuracy"]["by"] == "always b, the most frequent class of train"


def test_a_class_that_is_not_judged_counts_in_no_mean() -> None:
    found = of_classes(np.array([1, 5, 1]), np.array([3, 0, 7]), NAMES, "train")
    assert (found["accuracy"]["value"], found["macro_recall"]["value"], found["macro_f1"]["value"]) == (0, 0, 0)
    assert "auc" not in found
    assert of_classes(np.array([1, 5]), np.array([3, 4]), ("no", "yes"), "train")["auc"]["value"] == 0.5


def test_the_floor_of_numbers_is_the_mean_of_training_and_for_the_absolute_error_its_median() -> None:
    training, judged = np.array([0.0, 0.0, 1.0, 9.0]), np.array([1.0, 2.0, 6.0])
    found = of_numbers(training, judged, "train")
    for name, answer in (("rmse", 2.5), ("r2", 2.5), ("mae", 0.5)):
        constant = Regression()
        constant.add(judged, np.full(3, answer))
        assert found[name]["value"] == pytest.approx(constant.metrics()[name])
    assert found["rmse"]["by"] == "always 2.5, the mean of train"
    assert set(of_numbers(training, np.ones(3), "train")) == {"rmse", "mae"}
