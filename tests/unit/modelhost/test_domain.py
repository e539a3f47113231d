from dataclasses import replace

import pytest

from modelyard.modelhost.domain import MAX_BACKOFF_S, STEADY_S, Order, Record, missing, vanished

ORDER = Order("projects/p/deployments/d", "projects/p/models/m/versions/3", "sha256:1", "p.d", batching=False)


def test_a_version_that_never_answered_is_given_up_after_three_tries() -> None:
    record = Record()
    for _ in range(2):
        record = record.ended(0)
        assert not record.hopeless
    assert record.ended(0).hopeless


def test_a_version_that_has_answered_is_never_given_up() -> None:
    record = Record().answered()
    for _ in range(100):
        record = record.ended(0)
        assert not record.hopeless
        assert record.backoff_s <= MAX_BACKOFF_S
    assert record.backoff_s == MAX_BACKOFF_S


def test_a_first_death_costs_no_wait_and_the_next_ones_more_and_more() -> None:
    record = Record().answered()
    waits = []
    for _ in range(5):
        record = record.ended(1)
        waits.append(record.backoff_s)
    assert waits == [0, 2, 4, 8, 16]


def test_a_long_life_clears_the_record() -> None:
    record = Record().answered().ended(1).ended(1).ended(1)
    assert record.ended(STEADY_S).backoff_s == 0


def test_what_is_not_ordered_or_shall_stop_or_is_another_tree_vanishes() -> None:
    running = {ORDER.key: ORDER}
    assert vanished({ORDER.key: ORDER}, running) == []
    assert vanished({}, running) == [ORDER.key]
    assert vanished({ORDER.key: replace(ORDER, stopping=True)}, running) == [ORDER.key]
    assert vanished({ORDER.key: replace(ORDER, digest="sha256:2")}, running) == [ORDER.key]


def test_what_shall_stop_is_not_started() -> None:
    assert missing({ORDER.key: ORDER}, {}) == [ORDER]
    assert missing({ORDER.key: ORDER}, {ORDER.key: ORDER}) == []
    assert missing({ORDER.key: replace(ORDER, stopping=True)}, {}) == []


@pytest.mark.parametrize("change", [{"deployment": "x"}, {"model_version": "x/9"}, {"digest": "x"}])
def test_each_served_version_has_a_folder_of_its_own(change: dict[str, str]) -> None:
    assert replace(ORDER, **change).folder_name != ORDER.folder_name  # type: ignore[arg-type]
    assert len(ORDER.folder_name) == 16
