"""The worker obeys, acknowledges, and stops by its own clock when it hears nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from modelyard.foundation.errors import Conflict, InvalidArgument, PermissionDenied
from modelyard.trainer import service
from modelyard.trainer.attempt import AttemptRun
from modelyard.trainer.domain import (
    AttemptStopped,
    Device,
    Failed,
    FailureClass,
    Found,
    Outcome,
    Stopped,
    StopReason,
    Succeeded,
)
from modelyard.trainer.orders import Assignment, Orders, Seen, StopOrder
from modelyard.trainer.reporter import Report, Reporter, Unavailable
from modelyard.trainer.service import Running, Worker
from tests.support.eventually import eventually

FIRST = "projects/default/jobs/a/attempts/1"
SECOND = "projects/default/jobs/b/attempts/1"
FOUND = Found((Device("cpu", 0),), "2.21.0")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker tries again soon."""
    monkeypatch.setattr(service, "RETRY_S", 0.02)


class Replaced(Conflict):
    """As the scheduler says it."""

    reason = "WORKER_REPLACED"


def assigned(attempt: str, token: str = "t") -> Assignment:
    return Assignment(attempt, "image-classification", {}, "projects/default/datasets/d/versions/1", "", "", (), token)


class Run:
    """An attempt that ends when it is told to, or is finished by the test."""

    def __init__(self) -> None:
        self.ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.running = False
        self.stop_reason: StopReason | None = None

    async def run(self) -> Outcome:
        return await self.ended

    def stop(self, reason: StopReason, grace_s: float) -> None:
        self.stop_reason = reason
        if not self.ended.done():
            self.ended.set_result(Stopped())


class Scheduler:
    """Answers with `orders`, and waits for news when it may and nothing has changed."""

    def __init__(self) -> None:
        self.orders = Orders((), (), 20.0, False)
        self.changed = asyncio.Event()
        self.down = False
        self.refuses: Exception | None = None
        """What the next report or outcome is answered with."""
        self.sync_refused: Exception | None = None
        self.heard_draining = False
        self.heard_draining_before_completion = False
        self.seen: list[list[Seen]] = []
        self.completed: list[tuple[str, Outcome]] = []

    def order(self, *assignments: Assignment, stops: tuple[StopOrder, ...] = (), lease_s: float = 20.0) -> None:
        self.orders = Orders(assignments, stops, lease_s, False)
        self.changed.set()

    async def sync(self, found: Found, seen: list[Seen], *, draining: bool, wait: bool) -> Orders:
        if self.down:
            raise Unavailable("down")
        self.seen.append(seen)
        if wait:
            await self.changed.wait()
        self.changed.clear()
        if self.down:
            raise Unavailable("down")
        if self.sync_refused is not None:
            raise self.sync_refused
        self.heard_draining = draining
        return self.orders

    async def complete(self, attempt: str, outcome: Outcome) -> None:
        if self.down:
            raise Unavailable("down")
        self._refuse()
        self.heard_draining_before_completion = self.heard_draining
        self.completed.append((attempt, outcome))

    async def report(self, report: Report) -> None:
        self._refuse()

    def _refuse(self) -> None:
        if self.refuses is not None:
            refusal, self.refuses = self.refuses, None
            raise refusal


class Stage:
    """A worker with its scheduler and the attempts it has started."""

    def __init__(self) -> None:
        self.scheduler = Scheduler()
        self.runs: dict[str, Run] = {}
        self.tokens: dict[str, list[str]] = {}
        self.closed: list[str] = []
        self.reporters: dict[str, Reporter] = {}
        self.worker = Worker(FOUND, self.scheduler, self.start, stop_grace_s=5.0)

    def start(self, assignment: Assignment) -> Running:
        name = assignment.attempt
        run = self.runs[name] = Run()
        self.tokens[name] = [assignment.token]
        reporter = self.reporters[name] = Reporter(name, self.scheduler)
        renew: Callable[[str], Any] = self.tokens[name].append
        return Running(cast("AttemptRun", run), reporter, renew, lambda: self.closed.append(name))


@asynccontextmanager
async def working() -> AsyncIterator[Stage]:
    stage = Stage()
    task = asyncio.create_task(stage.worker.run())
    try:
        yield stage
    finally:
        task.cancel()
        await asyncio.wait([task])


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
