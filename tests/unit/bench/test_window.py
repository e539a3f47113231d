import pytest

from tests.bench.templates import decided
from tests.bench.window import Window


def found(window: Window, ends: list[float]) -> tuple[list[int], float]:
    """Which steps, and steps a second to two places."""
    answers = [answer for now in ends if (answer := window.step(now))]
    return answers[0]["window"], round(answers[0]["steps_per_s"], 2)


def test_the_first_second_is_not_counted_and_five_are() -> None:
    slow_beginning = [0.0, 0.8, *(0.8 + 0.25 * step for step in range(1, 40))]
    assert found(Window(0, 0, 1000), slow_beginning) == ([3, 23], 4.0)


def test_of_slow_steps_a_window_has_eight() -> None:
    assert found(Window(0, 0, 1000), [3.0 * step for step in range(20)]) == ([2, 10], 0.33)


def test_the_end_of_the_first_epoch_is_in_no_window() -> None:
    judged_after_twelve = [*(0.25 * step for step in range(12)), *(10.0 + 0.25 * step for step in range(40))]
    steps, rate = found(Window(0, 0, 12), judged_after_twelve)
    assert steps[0] == 13
    assert rate == 4.0


def test_a_window_that_is_given_is_taken() -> None:
    assert found(Window(2, 4, 3), [0.0, 1.0, 2.0, 5.0]) == ([2, 4], 0.5)


@pytest.mark.parametrize(
    ("jobs", "is_decided"),
    [([1.0], False), ([1.0, 0.96], True), ([0.9, 0.94], True), ([1.0, 0.94], False), ([1.0, 0.94, 0.9], True)],
)
def test_a_third_pair_is_measured_where_two_disagree(jobs: list[float], is_decided: bool) -> None:
    assert decided(jobs, [1.0] * len(jobs)) is is_decided
