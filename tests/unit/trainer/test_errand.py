"""A blocking call ends where it is given up, and one that has done its work answers all the same."""

import asyncio
import threading

import pytest

from modelyard.sdk.progress import silent
from modelyard.trainer.errand import Errand, GivenUp
from tests.support.eventually import eventually


class Call:
    """Reports progress in a stage until it is let go."""

    def __init__(self, stage: str) -> None:
        self.stage = stage
        self.began = threading.Event()
        self.goes_on = threading.Event()
        self.ended_with: BaseException | None = None

    def __call__(self, errand: Errand) -> str:
        progress = errand.watched(silent, last="verifying")
        self.began.set()
        try:
            while not self.goes_on.wait(0.001):
                progress(self.stage, 1, 2)
        except GivenUp as error:
            self.ended_with = error
            raise
        return "done"


async def test_what_the_call_answers_or_raises_is_what_its_waiter_gets() -> None:
    assert await Errand().run(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await Errand().run(lambda: 1 // 0)


async def test_a_call_whose_waiter_is_cancelled_ends_at_its_next_report_of_progress() -> None:
    errand, call = Errand(), Call("sending")
    waiting = asyncio.create_task(errand.run(call, errand))
    await eventually(call.began.is_set)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert isinstance(call.ended_with, GivenUp)


async def test_in_its_last_stage_it_is_seen_through_and_the_cancellation_stands() -> None:
    errand, call = Errand(), Call("verifying")
    waiting = asyncio.create_task(errand.run(call, errand))
    await eventually(call.began.is_set)
    waiting.cancel()
    await asyncio.sleep(0)
    call.goes_on.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert call.ended_with is None


async def test_the_answer_of_one_that_counts_is_kept_though_it_was_cancelled() -> None:
    errand, call = Errand(counts=True), Call("verifying")
    waiting = asyncio.create_task(errand.run(call, errand))
    await eventually(call.began.is_set)
    waiting.cancel()
    await asyncio.sleep(0)
    call.goes_on.set()
    assert await waiting == "done"
