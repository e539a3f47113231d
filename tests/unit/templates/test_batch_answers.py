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
    lines = answers.lines("test", ["a.png", "b.png"], {"boxes": np.zeros(none, np.float32)}, {})
    assert [json.loads(line)["boxes"] for line in lines.splitlines()] == [said, said]
