"""The one place where scheduling happens: events in, one transaction for all that wait, news out."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from modelyard.foundation.errors import ModelyardError, Unavailable
from modelyard.scheduler.domain.decisions import AttemptChanged, Decision, ExecutionEnded, JobChanged, WorkerChanged
from modelyard.scheduler.domain.events import Event, Ticked
from modelyard.scheduler.domain.jobs import JobState
from modelyard.scheduler.domain.state import Rules, State
from modelyard.scheduler.domain.step import step
from modelyard.scheduler.service.changes import QUEUE, Changes
from modelyard.scheduler.service.ports import Journal, Record, TakenOver, Written

log = logging.getLogger(__name__)

MakeEvent = Callable[[datetime, float], Event]
"""An event from the database's time and a jitter."""

MOST_AT_ONCE = 256


@dataclass(slots=True)
class _Command:
    make: MakeEvent
    records: Sequence[Record]
    done: "asyncio.Future[tuple[Decision, ...]]"


Outcome = tuple[Decision, ...] | ModelyardError


class Engine:
    """Holds the state. Whatever waits when a transaction begins goes into that one transaction."""

    def __init__(self, journal: Journal, changes: Changes, rules: Rules, jitter: Callable[[], float]) -> None:
        self._journal = journal
        self._changes = changes
        self._jitter = jitter
        self._waiting: list[_Command] = []
        self._work = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._heard: dict[str, float] = {}
        self._in_doubt = False
        """A transaction failed and may have been stored all the same."""
        self.state = State(rules)
        self._clock = (datetime.now(UTC), time.monotonic())
        self.on_execution_ended: Callable[[], None] = lambda: None
        """Called when the catalog has something to hear."""
        self.taken_over = asyncio.Event()
        """Set when a newer scheduler serves this database: the process must end."""

    async def start(self) -> None:
        """Takes over what was stored; what ended meanwhile is dealt with before anything else."""
        await self._journal.take_over()
        self.state = await self._journal.load(self.state.rules)
        self._task = asyncio.create_task(self._run(), name="engine")
        await self.happen(lambda now, jitter: Ticked(now=now, jitter=jitter))

    async def stop(self) -> None:
        """Ends after the transaction that runs."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def happen(self, make: MakeEvent, *records: Record) -> tuple[Decision, ...]:
        """Stores what follows from the event, with `records`, and answers it. A refusal changes nothing.

        Cancelling the caller does not undo the event.
        """
        done: asyncio.Future[tuple[Decision, ...]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Command(make, records, done))
        self._work.set()
        return await done

    def note(self, make: MakeEvent) -> None:
        """Like `happen`, for an event that nobody waits for."""
        done: asyncio.Future[tuple[Decision, ...]] = asyncio.get_running_loop().create_future()
        done.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._waiting.append(_Command(make, (), done))
        self._work.set()

    def now(self) -> datetime:
        """About the database's time, without asking it."""
        at, monotonic = self._clock
        return at + timedelta(seconds=time.monotonic() - monotonic)

    async def tick(self) -> None:
        """Lets time pass; the database hears of it only if something follows."""
        now = await self._journal.now()
        self._clock = (now, time.monotonic())
        heard = self._recently_heard()
        _, decisions = step(self.state, Ticked(now=now, heard=heard))
        if decisions:
            await self.happen(lambda now, jitter: Ticked(now=now, jitter=jitter, heard=heard))

    def heard(self, worker: str) -> None:
        """Remembers when, by a clock that nobody can set."""
        self._heard[worker] = time.monotonic()

    def _recently_heard(self) -> frozenset[str]:
        since = time.monotonic() - self.state.rules.lease.total_seconds()
        return frozenset(worker for worker, at in self._heard.items() if at > since)

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while self._waiting:
                batch, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
                await self._carry_out(batch)

    async def _carry_out(self, batch: Sequence[_Command]) -> None:
        try:
            if self._in_doubt:
                await self._read_again()
            state, outcomes = await self._journal.commit(lambda now: self._written(batch, now))
        except TakenOver:
            log.critical("another scheduler has taken over this database; stopping")
            self.taken_over.set()
            _answer_all(batch, Unavailable("this scheduler was replaced by a newer one; call again"))
        except Exception as error:
            self._in_doubt = True
            log.exception("a transaction failed")
            shown = error if isinstance(error, ModelyardError) else Unavailable("this could not be stored; try again")
            _answer_all(batch, shown)
        else:
            self.state = state
            for command, outcome in zip(batch, outcomes, strict=True):
                _answer(command, outcome)
            decisions = [one for each in outcomes if isinstance(each, tuple) for one in each]
            self._changes.publish(_news(decisions))
            if any(isinstance(decision, ExecutionEnded) for decision in decisions):
                self.on_execution_ended()

    async def _read_again(self) -> None:
        """What is stored is what counts; who is connected only this process knows."""
        present = {name for name, worker in self.state.workers.items() if worker.present}
        stored = await self._journal.load(self.state.rules)
        workers = {name: replace(worker, present=name in present) for name, worker in stored.workers.items()}
        self.state = replace(stored, workers=workers)
        self._in_doubt = False
        self._changes.publish((*self.state.jobs, *self.state.workers, QUEUE))

    def _written(self, batch: Sequence[_Command], now: datetime) -> Written[tuple[State, list[Outcome]]]:
        state = self.state
        outcomes: list[Outcome] = []
        decided: list[Decision] = []
        records: list[Record] = []
        for command in batch:
            try:
                state, decisions = step(state, command.make(now, self._jitter()))
            except ModelyardError as error:
                outcomes.append(error)
                continue
            outcomes.append(decisions)
            decided += decisions
            records += command.records
        return Written((state, outcomes), decided, records)


def _answer_all(batch: Sequence[_Command], error: ModelyardError) -> None:
    for command in batch:
        _answer(command, error)


def _answer(command: _Command, outcome: Outcome) -> None:
    if command.done.done():
        return
    if isinstance(outcome, ModelyardError):
        command.done.set_exception(outcome)
    else:
        command.done.set_result(outcome)


def _news(decisions: Iterable[Decision]) -> set[str]:
    keys: set[str] = set()
    for decision in decisions:
        match decision:
            case JobChanged():
                keys.add(decision.job.name)
                if decision.before is None or JobState.QUEUED in (decision.before, decision.job.state):
                    keys.add(QUEUE)
            case AttemptChanged():
                keys.add(decision.attempt.worker)
            case WorkerChanged(news=True):
                keys |= {decision.worker.name, QUEUE}
    return keys
