import numpy as np
import pytest

from modelyard.job.errors import ModelUnsuitable
from modelyard.templates.evaluate.matching import listed, match


def test_the_same_classes_in_another_order_are_matched_by_name() -> None:
    matching = match(("cat", "dog", "owl"), ("owl", "cat", "dog"), 3)
    assert matching.names == ("cat", "dog", "owl")
    assert matching.class_of_answer.tolist() == [2, 0, 1]
    assert matching.answer_of_class.tolist() == [1, 2, 0]
    assert matching.by_name
    assert matching.unknown_to_model == matching.unknown_to_dataset == ()


def test_classes_that_only_one_side_has_are_named() -> None:
    matching = match(("cat", "dog"), ("fox", "dog"), 2)
    assert matching.names == ("cat", "dog", "fox")
    assert matching.class_of_answer.tolist() == [2, 1]
    assert matching.answer_of_class.tolist() == [-1, 1, 0]
    assert matching.unknown_to_model == ("cat",)
    assert matching.unknown_to_dataset == ("fox",)


def test_a_model_without_names_is_taken_in_the_datasets_order() -> None:
    matching = match(("cat", "dog"), None, 2)
    assert np.array_equal(matching.class_of_answer, [0, 1])
    assert not matching.by_name


@pytest.mark.parametrize(
    ("model", "answers", "says"),
    [
        (None, 5, "the model has no class names and gives 5 values an example; the dataset has 2 classes"),
        (("cat", "dog"), 3, "the model names 2 classes and gives 3 values an example"),
        (("cat", "cat"), 2, "the model names class 'cat' twice"),
        (("ant", "bee"), 2, "no class in common: the model knows ant, bee; the dataset cat, dog"),
    ],
)
def test_what_cannot_be_matched_is_said(model: tuple[str, ...] | None, answers: int, says: str) -> None:
    with pytest.raises(ModelUnsuitable, match=says):
        match(("cat", "dog"), model, answers)


def test_long_lists_of_names_are_cut() -> None:
    assert listed([str(number) for number in range(100)]) == "0, 1, 2, 3, 4 and 95 more"
