import io

import numpy as np
import pytest
from PIL import Image

from modelyard.templates.evaluate.classification import Judged
from modelyard.templates.evaluate.mistakes import Mistakes
from modelyard.templates.evaluate.pictures import LARGEST_SIDE, data_uri, png


def batch(confidence: list[float], right: list[bool]) -> Judged:
    rows = len(confidence)
    return Judged(np.ones(rows, np.int64), np.array(confidence), np.full(rows, 0.01), np.array(right))


def test_the_surest_wrong_answers_are_kept_the_worst_first() -> None:
    mistakes = Mistakes(2)
    mistakes.add(np.arange(4), np.zeros(4, np.int64), batch([0.6, 0.9, 0.7, 0.99], [False, False, False, True]))
    mistakes.add(np.arange(4, 8), np.zeros(4, np.int64), batch([0.8, 0.9, 0.9, 0.1], [False, False, True, False]))
    assert [(each.example, each.probability) for each in mistakes.worst] == [(1, 0.9), (5, 0.9)]
    assert (mistakes.worst[0].true, mistakes.worst[0].predicted) == (0, 1)


def test_each_class_may_have_mistakes_of_its_own_where_there_is_room_for_them() -> None:
    true, rows = np.array([0, 0, 0, 2]), np.array([7, 8, 9, 10])
    judged = batch([0.9, 0.8, 0.7, 0.6], [False] * 4)
    apart, together = Mistakes(5, 2), Mistakes(2, 3)
    for mistakes in (apart, together):
        mistakes.add(rows, true, judged)
    assert [(each.true, each.example) for each in apart.worst] == [(0, 7), (0, 8), (2, 10)]
    assert [(each.true, each.example) for each in together.worst] == [(0, 7), (0, 8)]


def test_none_are_kept_where_none_are_wanted() -> None:
    mistakes = Mistakes(0)
    mistakes.add(np.zeros(1, np.int64), np.zeros(1, np.int64), batch([0.6], [False]))
    assert mistakes.worst == []


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (2, "LA"), (3, "RGB"), (4, "RGBA")])
def test_images_come_back_from_png_as_they_were(channels: int, mode: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 7, channels)).astype(np.uint8)
    read = Image.open(io.BytesIO(png(image)))
    assert (read.mode, read.size) == (mode, (7, 5))
    np.testing.assert_array_equal(np.asarray(read).reshape(image.shape), image)


def test_large_images_are_made_smaller() -> None:
    image = np.full((1000, 450, 3), 200, np.uint8)
    uri = data_uri(image)
    assert uri.startswith("data:image/png;base64,")
    assert len(uri) < 5000
    assert 1000 // LARGEST_SIDE > 1
