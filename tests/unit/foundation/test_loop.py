"""The supervised loop."""

import asyncio
import logging
import time

import pytest

from modelyard.foundation.errors import Unavailable
from modelyard.foundation.sync.loop import Loop
from tests.support.eventually import eventually


class Steps:
    """Counts its calls and fails or asks for more as told."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.fail: Exception | None = None
        self.more = 0

    async def __call__(self) -> bool:
        self.times.append(time.monotonic())
        if self.fail:
            raise self.fail
        self.more -= 1
        return self.more >= 0


async def test_it_runs_at_once_and_again_after_its_period() -> None:
    steps = Steps()
    async with Loop("x", steps, period_s=0.02):
        await eventually(lambda: len(steps.times) >= 3)
    assert steps.times[2] - steps.times[0] > 0.03


async def test_a_nudge_does_not_wait_for_the_period() -> None:
    steps = Steps()
    async with Loop("x", steps, period_s=60) as loop:
        await eventually(lambda: len(steps.times) == 1)
        loop.nudge()
        await eventually(lambda: len(steps.times) == 2)


async def test_nudges_during_a_step_add_up_to_one_more() -> None:
    calls, go = 0, asyncio.Event()

    async def step() -> None:
        nonlocal calls
        calls += 1
        await go.wait()

    async with Loop("x", step, period_s=60) as loop:
        await eventually(lambda: calls == 1)
        for _ in range(5):
            loop.nudge()
        go.set()
        await eventually(lambda: calls == 2)
        await asyncio.sleep(0.05)
        assert calls == 2


async def test_more_work_is_done_without_waiting() -> None:
    steps = Steps()
    steps.more = 4
    async with Loop("x", steps, period_s=60):
        await eventually(lambda: len(steps.times) == 5)


async def test_failures_are_logged_waited_for_and_survived(caplog: pytest.LogCaptureFixture) -> None:
    steps = Steps()
    steps.fail = Unavailable("the catalog is away")
    async with Loop("x", steps, period_s=0.001, max_backoff_s=0.4, expected=(Unavailable,)) as loop:
        await eventually(lambda: loop.failures == 3)
        gaps = [later - earlier for earlier, later in zip(steps.times, steps.times[1:], strict=False)]
        assert gaps[1] > 1.5 * gaps[0] > 0.1
        assert loop.last_success is None
        assert all(record.exc_info is None for record in caplog.records)
        steps.fail = None
        loop.nudge()
        await eventually(lambda: loop.failures == 0)
        assert loop.last_success is not None


async def test_a_surprise_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    steps = Steps()
    steps.fail = KeyError("x")
    async with Loop("x", steps, period_s=60, expected=(Unavailable,)) as loop:
        await eventually(lambda: loop.failures == 1)
    assert [record.levelno for record in caplog.records if record.exc_info] == [logging.ERROR]


async def test_stopping_cancels_the_step() -> None:
    began, cancelled = asyncio.Event(), asyncio.Event()

    async def step() -> None:
        began.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    loop = Loop("x", step, period_s=1)
    task = loop.start()
    await began.wait()
    await loop.stop()
    assert cancelled.is_set()
    assert task.cancelled()
    await loop.stop()


async def test_it_is_started_once() -> None:
    async with Loop("x", Steps(), period_s=1) as loop:
        with pytest.raises(RuntimeError, match="running already"):
            loop.start()


async def test_a_stop_right_after_a_nudge_ends_the_loop() -> None:
    async def step() -> None:
        """Nothing to do."""

    loop = Loop("test", step, period_s=60)
    loop.start()
    await asyncio.sleep(0)
    loop.nudge()
    await asyncio.sleep(0)
    await asyncio.wait_for(loop.stop(), 5)
