"""The worker: asks the scheduler what to do, does it, and stops by its own clock when it hears nothing."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from modelyard.foundation.errors import ModelyardError
from modelyard.trainer.attempt import AttemptRun
from modelyard.trainer.domain import AttemptStopped, Failed, FailureClass, Found, Outcome, StopReason
from modelyard.trainer.orders import Assignment, Orders, Seen
from modelyard.trainer.reporter import Reporter, Unavailable

log = logging.getLogger(__name__)

RETRY_S = 1.0
REPLACED = "WORKER_REPLACED"
"""The reason by which the scheduler refuses an older process of the same name."""
REMEMBERED_ATTEMPTS = 10_000


class SchedulerPort(Protocol):
    """What the worker needs of the scheduler."""

    async def sync(self, found: Found, seen: list[Seen], *, draining: bool, wait: bool) -> Orders:
        """What I see, what I should do. Raises Unavailable, or the scheduler's refusal."""

    async def complete(self, attempt: str, outcome: Outcome) -> None:
        """How an attempt ended. Raises Unavailable, AttemptStopped when it is no longer this worker's, or a refusal."""


@dataclass(slots=True)
class Running:
    """An attempt on this worker."""

    run: AttemptRun
    reporter: Reporter
    renew_token: Callable[[str], None]
    close: Callable[[], None]
    """Free what it holds, once it has ended."""
    start_time: float = field(default_factory=time.time)
    task: "asyncio.Task[None] | None" = None


Start = Callable[[Assignment], Running]
"""Makes an attempt ready to run."""


class Worker:
    """Runs the attempts that the scheduler assigns, and only as long as it holds their leases."""

    def __init__(self, found: Found, scheduler: SchedulerPort, start: Start, stop_grace_s: float) -> None:
        self.found = found
        self._scheduler = scheduler
        self._start = start
        self._stop_grace_s = stop_grace_s
        self._running: dict[str, Running] = {}
        self._ended: dict[str, None] = {}
        self._news = asyncio.Event()
        self._lease_ends = 0.0
        self._answered = False
        """The scheduler has, once: this worker is welcome."""
        self._warned = False
        self._leaving = False
        self._going = False
        """Nothing is tried twice any more."""
        self._heard_draining = asyncio.Event()
        self.draining = False
        self.connected = False

    @property
    def running(self) -> dict[str, Running]:
        """By the attempt's name, in the order of their start."""
        return dict(self._running)

    def drain(self) -> None:
        """Take no new jobs; those that run checkpoint and stop."""
        self.draining = True
        for one in self._running.values():
            one.run.stop(StopReason.PREEMPTED, self._stop_grace_s)
        self._news.set()

    def leave(self) -> None:
        """Drain, and end when nothing runs any more."""
        self._leaving = True
        self.drain()

    async def run(self) -> None:
        """Until it was told to leave and its last attempt has ended.

        Raises the scheduler's refusal: of the first call, or because a newer process has taken this one's name.
        """
        watchdog = asyncio.create_task(self._watch_lease(), name="lease")
        try:
            wait = False
            while not (self._leaving and not self._running):
                wait = await self._sync_once(wait=wait)
            await self._say_goodbye()
        finally:
            watchdog.cancel()
            self._going = True
            for one in self._running.values():
                one.run.stop(StopReason.STALE, 0)
            tasks = [one.task for one in self._running.values() if one.task is not None]
            if tasks:
                await asyncio.wait(tasks)

    async def _sync_once(self, *, wait: bool) -> bool:
        """One exchange; answers whether the next one may wait for news from the other side."""
        self._news.clear()
        sent, draining = time.monotonic(), self.draining
        seen = [Seen(name, one.run.running) for name, one in self._running.items()]
        asking = asyncio.create_task(self._scheduler.sync(self.found, seen, draining=draining, wait=wait))
        news = asyncio.create_task(self._news.wait())
        try:
            await asyncio.wait((asking, news), return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                return False  # something changed here: tell it at once
            orders = asking.result()
        except Unavailable as error:
            await self._not_heard(str(error), news)
            return False
        except ModelyardError as error:
            if error.reason == REPLACED or not self._answered:
                raise
            await self._not_heard(error.message, news)
            return False
        finally:
            for task in (asking, news):
                task.cancel()
        self.connected = self._answered = True
        self._warned = False
        self._lease_ends = sent + orders.lease_s
        if draining:
            self._heard_draining.set()
        # What has changed here while the answer was under way is not told yet.
        return self._obey(orders) and not self._news.is_set()

    async def _not_heard(self, why: str, news: "asyncio.Task[bool]") -> None:
        if not self._warned:
            log.warning("the scheduler can't be used", extra={"error": why})
        self.connected, self._warned = False, True
        await asyncio.wait((news,), timeout=RETRY_S * random.uniform(0.5, 1.5))

    def _obey(self, orders: Orders) -> bool:
        started = False
        for stop in orders.stops:
            one = self._running.get(stop.attempt)
            if one is not None and one.run.stop_reason is not stop.reason:
                log.info("stopping an attempt", extra={"attempt": stop.attempt, "reason": stop.reason})
                one.run.stop(stop.reason, stop.grace_s or self._stop_grace_s)
        stopping = {stop.attempt for stop in orders.stops}
        for assignment in orders.assignments:
            known = self._running.get(assignment.attempt)
            if known is not None:
                if assignment.token:
                    known.renew_token(assignment.token)
            elif assignment.attempt not in self._ended and assignment.attempt not in stopping and not self.draining:
                self._begin(assignment)
                started = True
        return not started

    def _begin(self, assignment: Assignment) -> None:
        log.info("starting an attempt", extra={"attempt": assignment.attempt, "template": assignment.template})
        one = self._start(assignment)
        self._running[assignment.attempt] = one
        one.task = asyncio.create_task(self._carry_out(assignment.attempt, one), name=assignment.attempt)

    async def _carry_out(self, name: str, one: Running) -> None:
        reporting = asyncio.create_task(self._report(one), name=f"reports of {name}")
        try:
            outcome = await one.run.run()
            log.info("an attempt has ended", extra={"attempt": name, "outcome": type(outcome).__name__.lower()})
            reporting.cancel()
            await asyncio.wait([reporting])
            await self._deliver(name, one, outcome)
        except AttemptStopped:
            log.info("an attempt is no longer this worker's", extra={"attempt": name})
        finally:
            reporting.cancel()
            one.close()
            del self._running[name]
            self._ended[name] = None
            while len(self._ended) > REMEMBERED_ATTEMPTS:
                del self._ended[next(iter(self._ended))]
            self._news.set()

    async def _report(self, one: Running) -> None:
        try:
            await one.reporter.run()
        except AttemptStopped:
            one.run.stop(StopReason.STALE, 0)

    async def _deliver(self, name: str, one: Running, outcome: Outcome) -> None:
        """Say how it ended, again and again: until it is said, the scheduler believes that it runs here.

        A worker that is going away tries while the lease lasts; after that the scheduler knows by itself.
        """
        if self.draining:
            await self._until_heard_draining()
        while True:
            try:
                await one.reporter.flush()
                await self._scheduler.complete(name, outcome)
            except Unavailable as error:
                log.warning("an outcome was not delivered", extra={"attempt": name, "error": str(error)})
            except ModelyardError as error:
                log.error("an outcome was refused", extra={"attempt": name, "error": error.message})
                if isinstance(outcome, Failed):
                    return
                outcome = Failed(FailureClass.INTERNAL, f"the scheduler refused how it ended: {error.message}")
                continue
            else:
                return
            if self._going or (self._leaving and time.monotonic() > self._lease_ends):
                return
            await asyncio.sleep(RETRY_S)  # between tries

    async def _until_heard_draining(self) -> None:
        """What stops because its worker drains goes on elsewhere at once; that must be known before it is said."""
        left = self._lease_ends - time.monotonic()
        if left > 0 and not self._going:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._heard_draining.wait(), left)

    async def _watch_lease(self) -> None:
        """Stop everything as soon as the lease is over: another worker may start it then."""
        while True:
            left = self._lease_ends - time.monotonic()
            lost = [one for one in self._running.values() if one.run.stop_reason is not StopReason.STALE]
            if left <= 0 and lost:
                log.error("the scheduler was not heard of for a lease's time; stopping all attempts")
                for one in lost:
                    one.run.stop(StopReason.STALE, 0)
            await asyncio.sleep(min(max(left, 0.2), 1.0))

    async def _say_goodbye(self) -> None:
        """Tell the scheduler that nothing runs here any more; it may be gone itself."""
        with contextlib.suppress(Unavailable, ModelyardError):
            await self._scheduler.sync(self.found, [], draining=True, wait=False)
