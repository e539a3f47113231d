from collections.abc import Sequence

import numpy as np
import pytest

from modelyard.templates.evaluate.average_precision import Boxes, Precision, hits, judged, overlap, true_boxes
from modelyard.templates.evaluate.drawn_boxes import Drawn

Given = tuple[Sequence[float], int, float]
"""Edges, class and score."""


def boxes(*given: Given) -> Boxes:
    edges = np.array([each[0] for each in given], np.float32).reshape(-1, 4)
    return Boxes(
        edges, np.array([each[1] for each in given], np.int64), np.array([each[2] for each in given], np.float32)
    )


HERE, THERE = (0, 0, 10, 10), (50, 50, 60, 70)


def test_two_boxes_share_what_both_cover_of_what_either_does() -> None:
    one = np.array([HERE, (0, 0, 0, 0)], np.float32)
    other = np.array([HERE, (5, 0, 15, 10), THERE], np.float32)
    assert overlap(one, other) == pytest.approx(np.array([[1, 1 / 3, 0], [0, 0, 0]]))


def test_a_perfect_detector_has_exactly_one() -> None:
    random = np.random.default_rng(0)
    images = []
    for _ in range(50):
        corners = random.uniform(0, 80, (3, 2))
        edges = np.concatenate([corners, corners + random.uniform(5, 20, (3, 2))], 1).astype(np.float32)
        images.append(Boxes(edges, random.integers(0, 4, 3), random.random(3).astype(np.float32)))
    precision = judged(4, [(each, each) for each in images])
    assert precision.metrics() == {"map50": 1.0, "map75": 1.0, "map": 1.0}
    assert precision.intervals()[0]["map"] == (1.0, 1.0)


def test_an_object_is_found_once_and_by_the_surest_box() -> None:
    true = boxes((HERE, 0, 1))
    made = hits(true, boxes((HERE, 0, 0.9), (HERE, 0, 0.8)))
    assert made[:, 0].tolist() == [True, False]
    # The second finds nothing, but comes behind all that is there.
    assert judged(1, [(true, boxes((HERE, 0, 0.8), (HERE, 0, 0.9)))]).metrics()["map50"] == 1.0


def test_a_wrong_box_counts_by_how_sure_it_was() -> None:
    true = boxes((HERE, 0, 1))
    sure = judged(1, [(true, boxes((HERE, 0, 0.5), (THERE, 0, 0.9)))]).metrics()["map50"]
    unsure = judged(1, [(true, boxes((HERE, 0, 0.5), (THERE, 0, 0.1)))]).metrics()["map50"]
    assert (sure, unsure) == (0.5, 1.0)


def test_the_right_place_with_the_wrong_class_is_nothing() -> None:
    assert judged(2, [(boxes((HERE, 0, 1)), boxes((HERE, 1, 0.9)))]).metrics()["map50"] == 0


def test_what_half_overlaps_is_right_at_half_and_wrong_at_more() -> None:
    found = boxes(((0, 0, 10, 6), 0, 0.9))
    metrics = judged(1, [(boxes((HERE, 0, 1)), found)]).metrics()
    assert metrics["map50"] == 1
    assert metrics["map75"] == 0
    assert metrics["map"] == pytest.approx(0.3)


def test_classes_without_objects_are_left_out_of_the_mean_and_images_without_any_are_fine() -> None:
    precision = judged(3, [(boxes((HERE, 1, 1)), boxes((HERE, 1, 0.9))), (boxes(), boxes()), (boxes(), boxes())])
    assert precision.metrics()["map50"] == 1
    assert np.isnan(precision.by_class()[[0, 2]]).all()
    assert precision.counts()[0].tolist() == [0, 1, 0]
    # What is found where nothing is counts.
    worse = judged(1, [(boxes((HERE, 0, 1)), boxes((HERE, 0, 0.5))), (boxes(), boxes((HERE, 0, 0.9)))])
    assert worse.metrics()["map50"] == 0.5


def test_an_interval_holds_the_figure_and_is_wider_for_few_images() -> None:
    pairs = [(boxes((HERE, 0, 1)), boxes((HERE if at % 3 else THERE, 0, 0.5 + at / 1000))) for at in range(120)]
    widths = []
    for some in (pairs[:12], pairs):
        precision = judged(1, some)
        low, high = precision.intervals()[0]["map50"]
        assert low <= precision.metrics()["map50"] <= high
        widths.append(high - low)
    assert widths[0] > widths[1] > 0


def test_rows_are_filled_up_with_what_is_no_box() -> None:
    edges = np.array([HERE, (-1, -1, -1, -1)], np.float32)
    assert true_boxes(edges, np.array([3, -1])).labels.tolist() == [3]


def test_the_worst_images_are_those_where_much_is_missed_or_surely_wrong() -> None:
    precision, drawn = Precision(2), Drawn(2)
    cases = {
        0: (boxes((HERE, 0, 1)), boxes((HERE, 0, 0.9))),
        1: (boxes((HERE, 0, 1), (THERE, 1, 1)), boxes((HERE, 0, 0.9))),
        2: (boxes(), boxes((HERE, 0, 0.6), (THERE, 0, 0.1))),
        3: (boxes((HERE, 0, 1)), boxes((HERE, 1, 0.95))),
    }
    for row, (true, found) in cases.items():
        drawn.add(row, true, found, precision.add(true, found))
    assert [-each.minus_row for each in drawn.worst] == [3, 1]
    assert [len(each.missed) for each in drawn.worst] == [1, 1]
    assert drawn.worst[0].right.tolist() == [False]


def test_a_class_of_which_very_many_are_found_takes_no_place_of_another() -> None:
    many = [(THERE, 0, 0.9)] * 150
    found = boxes(*many, (HERE, 1, 0.1))
    precision = judged(2, [(boxes((THERE, 0, 1), (HERE, 1, 1)), found)])
    assert precision.by_class()[1].tolist() == [1.0] * 10
    assert len(found.surest()) == 101
