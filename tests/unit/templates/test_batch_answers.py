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
    answers = Answers({"boxes": np.ones(some, np.float32)}, 2, ())
    lines = answers.lines("test", ["a.png", "b.png"], [{"boxes": np.zeros(none, np.float32)}], {})
    assert [json.loads(line)["boxes"] for line in lines.splitlines()] == [said, said]


def test_answers_of_examples_that_were_asked_one_by_one_may_differ_in_size() -> None:
    answers = Answers({"tokens": np.array([[b"a", b"b"]], object)}, 1, ())
    apart = [{"tokens": np.array([words], object)} for words in ([b"c"], [b"d", b"e", b"f"])]
    lines = answers.lines("test", ["1", "2", "3"], apart, {1: "is none"})
    said = [(each["tokens"], each["error"]) for each in map(json.loads, lines.splitlines())]
    assert said == [(["c"], None), (None, "is none"), (["d", "e", "f"], None)]
