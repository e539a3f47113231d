"""What jobs say while they run: progress, logs, metrics."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from modelyard.foundation.auth.identity import Identity
from modelyard.foundation.errors import InvalidArgument, PermissionDenied
from modelyard.scheduler.domain.errors import job_not_found, stale
from modelyard.scheduler.domain.events import AttemptMoved, CheckpointStored, Event
from modelyard.scheduler.domain.jobs import ENDED, Attempt, AttemptState
from modelyard.scheduler.domain.records import LogLine, MetricValue, Progress
from modelyard.scheduler.service.changes import Changes
from modelyard.scheduler.service.engine import Engine
from modelyard.scheduler.service.ports import Jobs, Limits, ProgressSaved, Telemetry

T = TypeVar("T", LogLine, MetricValue)

_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Report:
    attempt: str
    sequence: int
    state: AttemptState | None = None
    start_step: int = 0
    logs: Sequence[LogLine] = ()
    metrics: Sequence[MetricValue] = ()
    progress: Progress | None = None


@dataclass(slots=True)
class _Live:
    """The newest progress of a job, before the database has it."""

    attempt: str
    sequence: int
    start_step: int
    progress: Progress
    dirty: bool


class Reports:
    """Progress is kept here and written now and then; logs and metrics are written as they come."""

    def __init__(self, engine: Engine, jobs: Jobs, telemetry: Telemetry, changes: Changes, limits: Limits) -> None:
        self._engine = engine
        self._jobs = jobs
        self._telemetry = telemetry
        self._changes = changes
        self._limits = limits
        self._live: dict[str, _Live] = {}

    async def report(self, caller: Identity, report: Report) -> None:
        """Does nothing if the report was taken before. ABORTED when the attempt is over."""
        attempt = self.speaking(caller, report.attempt)
        if report.sequence < 1:
            raise InvalidArgument("sequence counts from 1", field="sequence")
        live = self._live.get(attempt.job)
        if live is not None and live.attempt == report.attempt and report.sequence <= live.sequence:
            return
        await self._move(attempt, report)
        await self._get_further(attempt, report)
        known = live is not None and (live.attempt, live.start_step) == (report.attempt, report.start_step)
        if report.logs or report.metrics or not known:
            taken = await self._telemetry.append(
                attempt, report.sequence, report.start_step, self._cut(report.logs), report.metrics, report.progress
            )
            if not taken:
                return
        progress = report.progress or (live.progress if live else Progress())
        dirty = report.progress is not None
        self._live[attempt.job] = _Live(report.attempt, report.sequence, report.start_step, progress, dirty)
        self._changes.publish([attempt.job, _telemetry_key(attempt.job)])

    def speaking(self, caller: Identity, attempt: str) -> Attempt:
        """The current attempt of that name, if it is the caller's."""
        found = self._engine.state.find_attempt(attempt)
        if found is None:
            raise stale(attempt)
        check_worker(caller, found)
        return found

    def progress(self, job: str) -> Progress | None:
        live = self._live.get(job)
        return live.progress if live else None

    def forget(self, job: str) -> None:
        self._live.pop(job, None)

    async def save(self) -> None:
        """Writes the progress that has changed, and lets go of jobs that have ended."""
        dirty = [(job, live) for job, live in self._live.items() if live.dirty]
        if dirty:
            for _, live in dirty:
                live.dirty = False
            await self._telemetry.save_progress([ProgressSaved(job, live.progress) for job, live in dirty])
        for job in [job for job in self._live if job not in self._engine.state.jobs]:
            del self._live[job]

    def logs(self, job: str, after: int, *, follow: bool) -> AsyncIterator[LogLine]:
        return self._stream(job, after, follow, self._telemetry.logs)

    def metrics(self, job: str, after: int, *, follow: bool) -> AsyncIterator[MetricValue]:
        return self._stream(job, after, follow, self._telemetry.metrics)

    async def _stream(
        self, job: str, after: int, follow: bool, read: Callable[[str, int, int], Awaitable[Sequence[T]]]
    ) -> AsyncIterator[T]:
        if after < 0:
            raise InvalidArgument("cursor is 0 or more", field="cursor")
        with self._changes.watch(job, _telemetry_key(job)) as watch:
            while True:
                watch.look()
                record = await self._jobs.get(job)
                if record is None:
                    raise job_not_found(job)
                while page := await read(job, after, _PAGE):
                    for entry in page:
                        yield entry
                    after = page[-1].cursor
                if not follow or record.state in ENDED:
                    return
                await watch.changed()
                if watch.closed:
                    await asyncio.Event().wait()

    async def _move(self, attempt: Attempt, report: Report) -> None:
        state = report.state
        if state is None or state is attempt.state or attempt.state is AttemptState.RUNNING:
            return

        def moved(now: datetime, jitter: float) -> Event:
            return AttemptMoved(now=now, jitter=jitter, attempt=report.attempt, state=state)

        await self._engine.happen(moved)

    async def _get_further(self, attempt: Attempt, report: Report) -> None:
        step = report.progress.checkpoint_step if report.progress else 0
        job = self._engine.state.jobs.get(attempt.job)
        if job is None or step <= job.checkpoint_step:
            return

        def stored(now: datetime, jitter: float) -> Event:
            return CheckpointStored(now=now, jitter=jitter, attempt=report.attempt, step=step)

        await self._engine.happen(stored)

    def _cut(self, logs: Sequence[LogLine]) -> list[LogLine]:
        most = self._limits.line_characters
        kept = logs[-self._limits.log_lines :]
        return [line if len(line.text) <= most else replace(line, text=line.text[: most - 1] + "…") for line in kept]


def check_worker(caller: Identity, attempt: Attempt) -> None:
    if caller.subject != attempt.worker:
        raise PermissionDenied(f"{attempt.name} is not an attempt of {caller.subject[:100]!a}")


def _telemetry_key(job: str) -> str:
    return f"{job}#telemetry"
