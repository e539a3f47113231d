"""A model's answers as lines."""

import json

import numpy as np
import pytest

from modelyard.templates.predict.answers import Answers


@pytest.mark.parametrize(
    ("some", "none", "said"), [((2, 3, 4), (2, 0, 4), []), ((2, 3), (2, 0), []), ((2, 3, 4), (2, 3, 0), [[], [], []])]
)
def test_where_nothing_is_found_in_a_batch_its_lists_are_empty(
    some: tuple[int, ...], none: tuple[int, ...], said: list[object]
) -> None:
    answers = Answers({"boxes": np.ones(some, np.float32)}, {}, 2, ())
    lines = answers.lines("test", ["a.png", "b.png"], [{"boxes": np.zeros(none, np.float32)}], {})
    assert [json.loads(line)["boxes"] for line in lines.splitlines()] == [said, said]


def test_answers_of_examples_that_were_asked_one_by_one_may_differ_in_size() -> None:
    answers = Answers({"tokens": np.array([[b"a", b"b"]], object)}, {"tokens": (-1, -1)}, 1, ())
    apart = [{"tokens": np.array([words], object)} for words in ([b"c"], [b"d", b"e", b"f"])]
    lines = answers.lines("test", ["1", "2", "3"], apart, {1: "is none"})
    said = [(each["tokens"], each["error"]) for each in map(json.loads, lines.splitlines())]
    assert said == [(["c"], None), (None, "is none"), (["d", "e", "f"], None)]


@pytest.mark.parametrize(
    ("declared", "said", "kind"), [((-1, 1), [1.0, 2.0], "number"), ((-1, -1), [[1.0], [2.0]], "text")]
)
def test_a_list_of_one_is_a_value_only_where_there_is_never_more_than_one(
    declared: tuple[int, ...], said: list[object], kind: str
) -> None:
    outputs = {"scores": np.array([[1], [2]], np.float32)}
    answers = Answers(outputs, {"scores": declared}, 2, ())
    lines = answers.lines("test", ["1", "2"], [outputs], {})
    assert [json.loads(line)["scores"] for line in lines.splitlines()] == said
    features = answers.description({}, {"test": 2}, {}).features
    assert [each.kind for each in features if each.name == "scores"] == [kind]


@pytest.mark.parametrize("declared", [(-1, -1), None])
def test_a_first_batch_of_one_each_says_nothing_about_the_next(declared: tuple[int, ...] | None) -> None:
    answers = Answers({"tokens": np.array([[b"a"], [b"b"]], object)}, {"tokens": declared}, 2, ())
    later = {"tokens": np.array([[b"a", b"b", b"c"]] * 2, object)}
    lines = answers.lines("test", ["3", "4"], [later], {})
    assert [json.loads(line)["tokens"] for line in lines.splitlines()] == [["a", "b", "c"]] * 2
