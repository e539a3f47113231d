"""A worker with attempts and a scheduler that do what a test says."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

from modelyard.foundation.errors import Conflict
from modelyard.trainer.attempt import AttemptRun
from modelyard.trainer.domain import (
    Device,
    Found,
    Outcome,
    Stopped,
    StopReason,
)
from modelyard.trainer.orders import Assignment, Orders, Seen, StopOrder
from modelyard.trainer.reporter import Report, Reporter, Unavailable
from modelyard.trainer.service import Running, Worker

FIRST = "projects/default/jobs/a/attempts/1"
SECOND = "projects/default/jobs/b/attempts/1"
FOUND = Found((Device("cpu", 0),), "2.21.0")


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
