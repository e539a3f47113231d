"""A job that says too much loses its words, and one line says so."""

import asyncio
import time

import pytest

from modelyard.trainer.floods import Bucket, LineLimit, Pace


def test_a_bucket_gives_its_size_at_once_and_then_its_rate() -> None:
    bucket = Bucket(rate=10, size=3, tokens=3, filled_at=100.0)
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert bucket.take(100.05) is False
    assert bucket.take(100.2) is True
    assert [bucket.take(200.0) for _ in range(4)] == [True, True, True, False]


def test_lines_above_the_rate_are_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 50.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    limit = LineLimit(rate=10, at_once=2)
    kept = [line for number in range(100) for line in limit.passed(str(number))]
    assert kept == ["0", "1"]
    now += 0.11
    assert limit.passed("next") == ["… 98 lines were left out: a job's log takes 10 lines a second", "next"]
    assert limit.rest() == []


def test_the_last_lines_are_kept_though_they_came_too_fast() -> None:
    limit = LineLimit(rate=1, at_once=1)
    for number in range(100):
        limit.passed(str(number))
    counted, *last = limit.rest()
    assert counted == "… 59 lines were left out: a job's log takes 1 lines a second"
    assert last == [str(number) for number in range(60, 100)]


def test_a_log_that_is_full_says_so_once_and_takes_nothing_more() -> None:
    limit = LineLimit(characters=20)
    assert limit.passed("x" * 10) == ["x" * 10]
    assert limit.passed("x" * 10) == ["… the log ends here: the job has printed more than a log may hold"]
    assert limit.passed("y") == []


async def test_a_job_that_reports_too_fast_is_slowed_down_and_hears_it_once() -> None:
    said: list[str] = []
    pace = Pace(rate=200, at_once=20)
    started = time.monotonic()
    for _ in range(80):
        await pace.keep(said.append)
    assert time.monotonic() - started > 0.2
    assert said == ["… the job is slowed down: it reports more than 200 times a second"]


async def test_one_that_reports_now_and_then_never_waits() -> None:
    pace = Pace(rate=1000, at_once=10)
    async with asyncio.timeout(0.02):
        for _ in range(10):
            await pace.keep(pytest.fail)
