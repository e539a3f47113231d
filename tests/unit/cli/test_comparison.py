"""Two versions on the same examples."""

from typing import Any

import pytest

from modelyard.api.catalog.v1 import dataset_pb2, model_pb2
from modelyard.cli.comparison import Comparison, Judged, held_out, show_comparison

DATASET = "projects/p/datasets/digits/versions/2"


def judged(number: int, accuracy: float, *, examples: int = 100, **recall: float) -> Judged:
    metrics = {"accuracy": accuracy, "log_loss": 1 - accuracy}
    evaluation = model_pb2.Evaluation(
        dataset_version=DATASET, split="test", example_count=examples, metrics=metrics, report="r"
    )
    return Judged(f"projects/p/models/m/versions/{number}", evaluation, {k: (v, 10) for k, v in recall.items()})


def splits(**counts: int) -> dataset_pb2.InputSpec:
    return dataset_pb2.InputSpec(
        splits=[dataset_pb2.Split(name=name, example_count=count) for name, count in counts.items()]
    )


@pytest.mark.parametrize(
    ("spec", "split"),
    [
        (splits(train=10, test=5, validation=3), "validation"),
        (splits(train=10, test=5), "test"),
        (splits(train=10, test=0), "train"),
    ],
)
def test_what_is_held_out_judges(spec: dataset_pb2.InputSpec, split: str) -> None:
    assert held_out(spec) == split


def test_classes_that_changed_most_come_first_and_others_are_left_out() -> None:
    comparison = Comparison(judged(1, 0.8, cat=0.5, dog=0.9, cow=0.7), judged(2, 0.9, cat=0.6, dog=0.5, cow=0.7))
    assert comparison.classes() == [("dog", 0.9, 0.5, 10), ("cat", 0.5, 0.6, 10)]


@pytest.mark.parametrize(("examples", "significant"), [(100, False), (10_000, True), (0, None)])
def test_a_difference_of_few_examples_may_be_chance(examples: int, significant: bool | None) -> None:
    assert (
        Comparison(judged(1, 0.90, examples=examples), judged(2, 0.92, examples=examples)).significant() is significant
    )


def test_a_person_sees_differences_and_which_way_is_better(capsys: pytest.CaptureFixture[str]) -> None:
    show_comparison(Comparison(judged(1, 0.75, cat=0.5), judged(2, 0.875, cat=0.75)))
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["on", "digits@2,", "test:", "100", "examples"]
    assert ["accuracy", "0.75", "0.875", "+0.125", "better"] in lines
    assert ["log_loss", "0.25", "0.125", "-0.125", "better"] in lines
    assert ["cat", "10", "50.0%", "75.0%", "+25.0%"] in lines


def test_a_script_gets_numbers() -> None:
    found: dict[str, Any] = Comparison(judged(1, 0.75, cat=0.5), judged(2, 0.875, cat=0.75)).to_json()
    assert found["metrics"][0] == {"name": "accuracy", "first": 0.75, "second": 0.875, "difference": 0.125}
    assert found["classes"] == [{"name": "cat", "first_recall": 0.5, "second_recall": 0.75, "examples": 10}]
    assert found["first"]["split"] == "test"


def regression(number: int, rmse: float, half: float) -> Judged:
    metrics = {"rmse": rmse, "r2": 1 - rmse / 100, "bias": rmse / 10}
    evaluation = model_pb2.Evaluation(dataset_version=DATASET, split="test", example_count=9, metrics=metrics)
    version = f"projects/p/models/m/versions/{number}"
    return Judged(version, evaluation, {}, {"rmse": (rmse - half, rmse + half)})


@pytest.mark.parametrize(("half", "says"), [(1.0, "more"), (8.0, "no more")])
def test_regressions_are_compared_by_their_own_metrics_of_which_less_may_be_better(
    capsys: pytest.CaptureFixture[str], half: float, says: str
) -> None:
    comparison = Comparison(regression(1, 50.0, half), regression(2, 40.0, half))
    show_comparison(comparison)
    shown = capsys.readouterr().out
    lines = [line.split() for line in shown.splitlines()]
    assert [line[0] for line in lines[2:5]] == ["rmse", "r2", "bias"]
    assert ["rmse", "50", "40", "-10", "better"] in lines
    assert ["r2", "0.5", "0.6", "+0.1", "better"] in lines
    assert ["bias", "5", "4", "-1"] in lines
    assert f"the values of rmse differ by {says} than chance would make them (95 %)" in shown
    assert comparison.to_json()["differs_by_more_than_chance"] == {"rmse": says == "more"}
    assert comparison.to_json()["accuracy_differs_by_more_than_chance"] is None
