"""What a model calls what it finds is read as the classes that it means."""

import numpy as np
import pytest

from modelyard.job.errors import ModelUnsuitable
from modelyard.templates.evaluate.box_labels import Labels
from modelyard.templates.evaluate.matching import match

SURE = np.array([0.9, 0.5, 0.0], np.float32)


def test_whole_numbers_are_places_among_the_models_classes_and_else_among_the_datasets() -> None:
    own = Labels(match(("cat", "dog"), ("fox", "dog", "cat"), 3))
    assert own.numbers(np.array([2, 1, 0]), SURE).tolist() == [0, 1, 2]
    assert own.numbers(np.array([3, -1, 2], np.int32), SURE).tolist() == [-1, -1, 0]
    assert own.are_places
    without = Labels(match(("cat", "dog"), None, 2))
    assert without.numbers(np.array([0, 1, 2]), SURE).tolist() == [0, 1, -1]


def test_names_are_classes_whoever_has_them() -> None:
    labels = Labels(match(("cat", "dog"), ("fox", "cat"), 2))
    assert labels.numbers(np.array([b"fox", b"cat", b""], object), SURE).tolist() == [2, 0, -1]
    assert not labels.are_places


@pytest.mark.parametrize(
    ("strange", "says"),
    [
        (np.array([7, 9, 4]), "no label that the model answers is a class: it answers 7, 9; the classes are cat, dog"),
        (np.array([b"hat", b"", b"mat"], object), "it answers hat; the classes are cat, dog"),
        (np.array([1.0, 0.0, 0.0], np.float32), "it answers 1.0, 0.0; the classes are cat, dog"),
    ],
)
def test_labels_of_which_none_is_a_class_are_refused_with_what_there_is(strange: np.ndarray, says: str) -> None:
    labels = Labels(match(("cat", "dog"), None, 2))
    labels.numbers(strange, SURE)
    with pytest.raises(ModelUnsuitable, match=says):
        labels.check()
    labels.numbers(np.array([b"cat", b"", b""], object), SURE)
    labels.check()


def test_a_model_that_finds_nothing_has_no_strange_labels() -> None:
    labels = Labels(match(("cat", "dog"), None, 2))
    labels.numbers(np.array([b"none", b"", b"none"], object), np.zeros(3, np.float32))
    labels.check()
