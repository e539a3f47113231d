import numpy as np
import pytest
from numpy.typing import NDArray

from modelyard.job.errors import ModelUnsuitable
from modelyard.templates.evaluate.task import Reading, choose, numbers, probabilities

THREE = ("a", "b", "c")
FIRST = np.arange(2)
ROWS = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])


@pytest.mark.parametrize(
    ("task", "outputs", "answers", "classes", "reading"),
    [
        ("auto", "auto", ROWS, THREE, Reading.PROBABILITIES),
        ("auto", "auto", ROWS * 9 - 3, THREE, Reading.LOGITS),
        ("auto", "logits", ROWS, THREE, Reading.LOGITS),
        ("auto", "auto", np.array([[0.2], [0.9]]), ("a", "b"), Reading.SECOND_CLASS),
        ("auto", "auto", np.array([[-3.0], [2.0]]), ("a", "b"), Reading.SECOND_CLASS_LOGIT),
        ("auto", "auto", np.array([[-3.0], [2.0]]), ("0", "5", "10"), Reading.NUMBER),
        ("regression", "auto", np.array([[0.3]]), ("0", "1"), Reading.NUMBER),
    ],
)
def test_the_first_batch_says_what_answers_mean(
    task: str, outputs: str, answers: NDArray[np.float64], classes: tuple[str, ...], reading: Reading
) -> None:
    assert choose(task, outputs, answers, classes) is reading


@pytest.mark.parametrize(
    ("task", "answers", "classes", "says"),
    [
        ("auto", np.array([[0.2, 0.9, 0.8]]), THREE, "lie between 0 and 1, but do not sum to 1"),
        ("auto", np.array([[0.2]]), THREE, "class 'a' is no number that it could be compared with"),
        ("classification", np.array([[0.2]]), THREE, "that tells two classes apart, and there are 3"),
        ("regression", ROWS, THREE, "a regression needs one number an example; the model gives 3"),
        ("auto", np.array([[0.2]]), ("1", "nan", "3"), "class 'nan' is no number"),
    ],
)
def test_what_cannot_be_judged_is_said(
    task: str, answers: NDArray[np.float64], classes: tuple[str, ...], says: str
) -> None:
    with pytest.raises(ModelUnsuitable, match=says):
        choose(task, "auto", answers, classes)


def test_logits_become_probabilities_however_large() -> None:
    found = probabilities(Reading.LOGITS, np.array([[1000.0, 1000.0], [0.0, np.log(3)]]), FIRST)
    np.testing.assert_allclose(found, [[0.5, 0.5], [0.25, 0.75]])


def test_one_number_becomes_the_probabilities_of_two_classes() -> None:
    np.testing.assert_allclose(probabilities(Reading.SECOND_CLASS, np.array([[0.9]]), FIRST), [[0.1, 0.9]])
    found = probabilities(Reading.SECOND_CLASS_LOGIT, np.array([[0.0], [-2000.0]]), FIRST)
    np.testing.assert_allclose(found, np.array([[0.5, 0.5], [1.0, 0.0]]), atol=1e-9)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ([np.nan, 0.5], "the model answers nan for example 117"),
        ([np.inf, 0.5], "the model answers inf for example 117"),
        ([0.9, 0.9], "the answers for example 117 are no probabilities: they go from 0.9 to 0.9 and sum to 1.8"),
    ],
)
def test_an_example_whose_answers_are_no_probabilities_is_named(row: list[float], says: str) -> None:
    with pytest.raises(ModelUnsuitable, match=says):
        probabilities(Reading.PROBABILITIES, np.array([[0.5, 0.5], row]), np.array([100, 117]))


def test_class_names_stand_for_numbers() -> None:
    assert numbers(("0", "2.5", "-1e3")).tolist() == [0.0, 2.5, -1000.0]
