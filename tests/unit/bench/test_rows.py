import json

import pytest

from tests.bench.rows import Row, Target, at_least, at_least_times, at_most, at_most_times


def row(target: Target | None, *measured: float, floor: tuple[float, ...] = ()) -> Row:
    return Row("pushes", measured, "s", floor, "tar", target)


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (at_most(5), True),
        (at_most(4), False),
        (at_least(5), True),
        (at_least(6), False),
        (at_most_times(2.5), True),
        (at_most_times(2), False),
        (at_most_times(2, plus=1), True),
        (at_least_times(2.5), True),
        (at_least_times(2.6), False),
    ],
)
def test_a_promise_is_judged_by_the_median_pair(target: Target, met: bool) -> None:
    assert row(target, 4.0, 5.0, 60.0, floor=(2.0, 2.0, 2.0)).is_met is met


def test_pairs_are_compared_before_their_median_is_taken() -> None:
    slow_machine_in_between = row(at_most_times(2), 4.0, 40.0, 4.0, floor=(2.0, 20.0, 2.0))
    assert slow_machine_in_between.ratios == [2, 2, 2]
    assert slow_machine_in_between.is_met


def test_nothing_promised_is_neither_met_nor_missed() -> None:
    assert row(None, 1.0).is_met is None
    assert row(None, 1.0).cells() == ("pushes", "1 s", "", "", "", "")


def test_a_line_has_medians_and_the_spread() -> None:
    assert row(at_most_times(3, 10, " s"), 20.0, 12.5, 9.0, floor=(1.0, 2.0, 1.5)).line() == (
        "  pushes  12.5 s [9 20]  tar 1.5 s [1 2]  6.25 [6 20]  ≤ 3 × + 10 s  ok"
    )


def test_json_has_every_value() -> None:
    found = json.loads(json.dumps(row(at_most(1, " s"), 2.0, 3.0, floor=(1.0, 2.0)).to_json()))
    assert found["measured"] == [2, 3]
    assert (found["ratio"], found["target"], found["met"]) == (1.75, "≤ 1 s", False)
