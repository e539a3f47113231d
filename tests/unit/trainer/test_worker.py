"""The worker obeys, acknowledges, and stops by its own clock when it hears nothing."""

import asyncio

import pytest

from modelyard.foundation.errors import InvalidArgument, PermissionDenied
from modelyard.trainer import service
from modelyard.trainer.domain import (
    AttemptStopped,
    Failed,
    FailureClass,
    Stopped,
    StopReason,
    Succeeded,
)
from modelyard.trainer.orders import Seen, StopOrder
from tests.support.eventually import eventually
from tests.unit.trainer.working import FIRST, SECOND, Replaced, Stage, assigned, working


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker tries again soon."""
    monkeypatch.setattr(service, "RETRY_S", 0.02)


async def test_an_assignment_is_started_once_and_acknowledged_at_once() -> None:
    async with working() as stage:
        stage.scheduler.order(assigned(FIRST))
        await eventually(lambda: [Seen(FIRST, False)] in stage.scheduler.seen)
        stage.scheduler.order(assigned(FIRST, token="fresh"))
        await eventually(lambda: "fresh" in stage.tokens[FIRST])
        assert len(stage.runs) == 1


async def test_an_outcome_is_delivered_and_the_attempt_never_started_again() -> None:
    async with working() as stage:
        stage.scheduler.order(assigned(FIRST))
        await eventually(lambda: FIRST in stage.runs)
        first = stage.runs[FIRST]
        first.ended.set_result(Succeeded("projects/default/models/m/versions/1"))
        await eventually(lambda: bool(stage.scheduler.completed))
        stage.scheduler.order(assigned(FIRST), assigned(SECOND))
        await eventually(lambda: SECOND in stage.runs)
        assert stage.runs[FIRST] is first
        assert stage.closed == [FIRST]


async def test_an_outcome_waits_for_a_scheduler_that_is_down() -> None:
    async with working() as stage:
        stage.scheduler.order(assigned(FIRST))
        await eventually(lambda: FIRST in stage.runs)
        stage.scheduler.down = True
        stage.runs[FIRST].ended.set_result(Succeeded("v"))
        await asyncio.sleep(0.05)
        assert stage.scheduler.completed == []
        stage.scheduler.down = False
        await eventually(lambda: stage.scheduler.completed == [(FIRST, Succeeded("v"))])


async def test_without_a_word_for_a_lease_everything_stops_and_the_scheduler_hears_it_when_it_is_back() -> None:
    async with working() as stage:
        stage.scheduler.order(assigned(FIRST), lease_s=0.3)
        await eventually(lambda: FIRST in stage.runs)
        stage.scheduler.down = True
        await eventually(lambda: stage.runs[FIRST].stop_reason is StopReason.STALE)
        assert FIRST in stage.worker.running
        stage.scheduler.down = False
        await eventually(lambda: not stage.worker.running)
        assert stage.scheduler.completed == [(FIRST, Stopped())]


async def test_an_attempt_that_the_scheduler_gave_to_somebody_else_is_let_go() -> None:
    async with working() as stage:
        stage.scheduler.order(assigned(FIRST))
        await eventually(lambda: FIRST in stage.runs)
        stage.scheduler.refuses = AttemptStopped()
        stage.runs[FIRST].ended.set_result(Succeeded("v"))
        await eventually(lambda: not stage.worker.running)
        assert stage.scheduler.completed == []
        assert stage.closed == [FIRST]


async def test_reports_that_are_refused_because_the_attempt_is_over_stop_it() -> None:
    async with working() as stage:
        stage.scheduler.order(assigned(FIRST))
        await eventually(lambda: FIRST in stage.runs)
        stage.scheduler.refuses = AttemptStopped()
        stage.reporters[FIRST].changed(urgent=True)
        await eventually(lambda: stage.runs[FIRST].stop_reason is StopReason.STALE)


async def test_an_outcome_that_the_scheduler_refuses_becomes_a_failure_that_says_so() -> None:
    async with working() as stage:
        stage.scheduler.order(assigned(FIRST))
        await eventually(lambda: FIRST in stage.runs)
        stage.scheduler.refuses = InvalidArgument("model_version must be a version of m")
        stage.runs[FIRST].ended.set_result(Succeeded("nonsense"))
        await eventually(lambda: not stage.worker.running)
        ((name, outcome),) = stage.scheduler.completed
        assert name == FIRST
        assert isinstance(outcome, Failed)
        assert outcome.failure_class is FailureClass.INTERNAL
        assert "model_version must be" in outcome.message


async def test_a_process_that_was_replaced_by_a_newer_one_ends_with_the_schedulers_sentence() -> None:
    stage = Stage()
    task = asyncio.create_task(stage.worker.run())
    stage.scheduler.order(assigned(FIRST))
    await eventually(lambda: FIRST in stage.runs)
    stage.scheduler.sync_refused = Replaced("another process serves as workers/w now")
    stage.scheduler.changed.set()
    with pytest.raises(Replaced):
        await asyncio.wait_for(task, 5)
    assert stage.runs[FIRST].stop_reason is StopReason.STALE


async def test_a_worker_whose_token_is_refused_at_its_first_call_ends_with_a_sentence() -> None:
    stage = Stage()
    stage.scheduler.sync_refused = PermissionDenied("this token is of workers/other")
    with pytest.raises(PermissionDenied):
        await asyncio.wait_for(stage.worker.run(), 5)


async def test_a_token_that_is_refused_later_is_waited_out_while_the_lease_lasts() -> None:
    async with working() as stage:
        stage.scheduler.order(assigned(FIRST))
        await eventually(lambda: FIRST in stage.runs)
        stage.scheduler.sync_refused = PermissionDenied("expired")
        stage.scheduler.changed.set()
        await eventually(lambda: not stage.worker.connected)
        stage.scheduler.sync_refused = None
        await eventually(lambda: stage.worker.connected)
        assert stage.runs[FIRST].stop_reason is None


async def test_a_stop_order_stops_that_attempt_and_is_answered() -> None:
    async with working() as stage:
        stage.scheduler.order(assigned(FIRST), assigned(SECOND))
        await eventually(lambda: len(stage.runs) == 2)
        stage.scheduler.order(assigned(SECOND), stops=(StopOrder(FIRST, StopReason.CANCELLED, 1.0),))
        await eventually(lambda: stage.scheduler.completed == [(FIRST, Stopped())])
        assert stage.runs[SECOND].stop_reason is None


async def test_leaving_checkpoints_what_runs_takes_nothing_new_and_ends() -> None:
    stage = Stage()
    task = asyncio.create_task(stage.worker.run())
    stage.scheduler.order(assigned(FIRST))
    await eventually(lambda: FIRST in stage.runs)
    stage.worker.leave()
    stage.scheduler.order(assigned(FIRST), assigned(SECOND))
    await asyncio.wait_for(task, 10)
    assert stage.runs[FIRST].stop_reason is StopReason.PREEMPTED
    assert SECOND not in stage.runs
    assert stage.scheduler.completed == [(FIRST, Stopped())]


async def test_the_scheduler_hears_that_a_worker_drains_before_it_hears_that_its_attempts_have_stopped() -> None:
    stage = Stage()
    task = asyncio.create_task(stage.worker.run())
    stage.scheduler.order(assigned(FIRST))
    await eventually(lambda: FIRST in stage.runs)
    stage.worker.leave()
    await asyncio.wait_for(task, 10)
    assert stage.scheduler.heard_draining_before_completion


async def test_a_drained_worker_stays_and_takes_nothing() -> None:
    async with working() as stage:
        stage.scheduler.order(assigned(FIRST))
        await eventually(lambda: FIRST in stage.runs)
        stage.worker.drain()
        await eventually(lambda: stage.scheduler.completed == [(FIRST, Stopped())])
        stage.scheduler.order(assigned(SECOND))
        syncs = len(stage.scheduler.seen)
        await eventually(lambda: len(stage.scheduler.seen) > syncs)
        assert SECOND not in stage.runs


async def test_leaving_while_the_scheduler_is_away_ends_with_the_lease() -> None:
    stage = Stage()
    task = asyncio.create_task(stage.worker.run())
    stage.scheduler.order(assigned(FIRST), lease_s=0.3)
    await eventually(lambda: FIRST in stage.runs)
    stage.scheduler.down = True
    stage.worker.leave()
    await asyncio.wait_for(task, 10)
    assert stage.scheduler.completed == []
    assert stage.closed == [FIRST]
