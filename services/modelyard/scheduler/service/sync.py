"""The conversation with workers: what I see, what you should do."""

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from modelyard.foundation.auth.identity import Identity
from modelyard.foundation.errors import InvalidArgument, PermissionDenied
from modelyard.scheduler.domain.devices import Device
from modelyard.scheduler.domain.errors import WorkerReplaced, job_not_found, stale
from modelyard.scheduler.domain.events import AttemptCompleted, Event, WorkerAway, WorkerHeard, WorkerSynced
from modelyard.scheduler.domain.jobs import Attempt, AttemptState, Failure, Job, StopReason
from modelyard.scheduler.domain.records import JobSpec
from modelyard.scheduler.domain.state import Rules
from modelyard.scheduler.service.changes import Changes
from modelyard.scheduler.service.engine import Engine
from modelyard.scheduler.service.ports import AttemptToken, Jobs, ProgressSaved, Record, Tokens
from modelyard.scheduler.service.reports import Reports, check_worker

AWAY_AFTER_S = 2.0
"""A worker calls again as soon as it has an answer; one that has not for this long is not there."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a worker sees."""

    worker: str
    instance: str
    devices: tuple[Device, ...]
    attempts: tuple[tuple[str, AttemptState], ...]
    leaving: bool = False
    hostname: str = ""
    version: str = ""
    tensorflow_version: str = ""
    cursor: str = ""
    max_wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Assignment:
    attempt: str
    spec: JobSpec
    devices: tuple[Device, ...]
    token: AttemptToken


@dataclass(frozen=True, slots=True)
class Stop:
    attempt: str
    reason: StopReason
    grace: timedelta


@dataclass(frozen=True, slots=True)
class Orders:
    assignments: Sequence[Assignment]
    stops: Sequence[Stop]
    lease: timedelta
    cursor: str
    drain: bool


@dataclass(frozen=True, slots=True)
class Completion:
    attempt: str
    outcome: AttemptState
    model_version: str = ""
    evaluation: str = ""
    output_dataset_version: str = ""
    failure: Failure | None = None


class WorkerSync:
    def __init__(
        self, engine: Engine, jobs: Jobs, reports: Reports, tokens: Tokens, changes: Changes, longest_wait_s: float
    ) -> None:
        self._engine = engine
        self._jobs = jobs
        self._reports = reports
        self._tokens = tokens
        self._changes = changes
        self._longest_wait_s = longest_wait_s
        self._open: Counter[str] = Counter()
        """Calls being served, by worker."""
        self._begun: Counter[str] = Counter()
        self._specs: dict[str, JobSpec] = {}

    async def sync(self, caller: Identity, seen: Sighting) -> Orders:
        """Renews the leases, and answers at once, or when there is news, or when the wait is over."""
        if caller.subject != seen.worker:
            raise PermissionDenied(f"this token is of {caller.subject[:100]!a}, not of {seen.worker}")
        if not seen.instance:
            raise InvalidArgument("instance_id is empty; make a UUID when the process starts", field="instance_id")
        self._open[seen.worker] += 1
        self._begun[seen.worker] += 1
        try:
            return await self._sync(seen)
        except asyncio.CancelledError:
            self._gone(seen, but_for=1)
            raise
        finally:
            self._open[seen.worker] -= 1
            asyncio.get_running_loop().call_later(AWAY_AFTER_S, self._silent, seen, self._begun[seen.worker])

    async def complete(self, caller: Identity, completion: Completion) -> None:
        """How an attempt ended; the same again is fine, anything else about an attempt that is over is refused."""
        current = self._engine.state.find_attempt(completion.attempt)
        if current is None:
            return await self._completed_before(caller, completion)
        check_worker(caller, current)
        _check(completion, self._engine.state.jobs[current.job])

        def completed(now: datetime, jitter: float) -> Event:
            return AttemptCompleted(
                now=now,
                jitter=jitter,
                attempt=completion.attempt,
                outcome=completion.outcome,
                model_version=completion.model_version,
                evaluation=completion.evaluation,
                output_dataset_version=completion.output_dataset_version,
                failure=completion.failure,
            )

        progress = self._reports.progress(current.job)
        records: list[Record] = [ProgressSaved(current.job, progress)] if progress else []
        await self._engine.happen(completed, *records)
        return None

    async def _sync(self, seen: Sighting) -> Orders:
        def synced(now: datetime, jitter: float) -> Event:
            return WorkerSynced(
                now=now,
                jitter=jitter,
                worker=seen.worker,
                instance=seen.instance,
                devices=seen.devices,
                attempts=seen.attempts,
                leaving=seen.leaving,
                hostname=seen.hostname,
                version=seen.version,
                tensorflow_version=seen.tensorflow_version,
            )

        await self._engine.happen(synced)
        self._engine.heard(seen.worker)
        began = time.monotonic()
        await self._news(seen, began + min(max(seen.max_wait_s, 0.0), self._longest_wait_s))
        if time.monotonic() - began > self._engine.state.rules.lease.total_seconds() / 8:
            await self._renew(seen)
        return await self._orders(seen)

    async def _news(self, seen: Sighting, until: float) -> None:
        """Returns when the answer is not the one that the worker has, or when the wait is over."""
        with self._changes.watch(seen.worker) as watch:
            while True:
                watch.look()
                left = until - time.monotonic()
                if _named(seen, *self._mine(seen)) != seen.cursor or left <= 0 or watch.closed:
                    return
                await watch.changed(left)

    async def _renew(self, seen: Sighting) -> None:
        """The worker held the line until now, so the lease that is answered counts from now."""

        def heard(now: datetime, jitter: float) -> Event:
            return WorkerHeard(now=now, worker=seen.worker, instance=seen.instance)

        await self._engine.happen(heard)
        self._engine.heard(seen.worker)

    def _silent(self, seen: Sighting, begun: int) -> None:
        """The worker should have called again by now."""
        if self._begun[seen.worker] == begun:
            self._gone(seen)

    def _gone(self, seen: Sighting, but_for: int = 0) -> None:
        """Nothing new is given to a worker that has no call here (but for those that just break off)."""
        if self._open[seen.worker] > but_for or self._changes.closed:
            return

        def away(now: datetime, jitter: float) -> Event:
            return WorkerAway(now=now, worker=seen.worker, instance=seen.instance)

        self._engine.note(away)

    def _mine(self, seen: Sighting) -> tuple[list[Attempt], list[tuple[str, StopReason]], bool]:
        """Attempts to run, attempts to stop, and whether to drain."""
        state = self._engine.state
        worker = state.workers.get(seen.worker)
        if worker is None or worker.instance != seen.instance:
            raise WorkerReplaced(
                f"another process serves as {seen.worker} now; this one must stop", resource=seen.worker
            )
        current = {attempt.name: attempt for attempt in state.attempts_on(seen.worker)}
        stops = [(name, attempt.stop) for name, attempt in current.items() if attempt.stop is not None]
        stops += [(name, StopReason.STALE) for name, _ in seen.attempts if name not in current]
        return [attempt for attempt in current.values() if attempt.stop is None], stops, worker.drained

    async def _orders(self, seen: Sighting) -> Orders:
        specs = {attempt.job: await self._spec(attempt.job) for attempt in self._mine(seen)[0]}
        # From here on nothing waits: what is answered is one moment's truth, and the cursor names it.
        run, stops, drain = self._mine(seen)
        known = [attempt for attempt in run if attempt.job in specs]
        rules = self._engine.state.rules
        return Orders(
            [Assignment(one.name, specs[one.job], one.devices, self._tokens.sign(one.name)) for one in known],
            [Stop(name, reason, _grace(reason, rules)) for name, reason in stops],
            rules.lease,
            _named(seen, known, stops, drain),
            drain,
        )

    async def _spec(self, job: str) -> JobSpec:
        """What a job runs never changes, so it is read once."""
        spec = self._specs.get(job)
        if spec is None:
            record = await self._jobs.get(job)
            if record is None:
                raise job_not_found(job)
            spec = self._specs[job] = record.spec
            for ended in [name for name in self._specs if name not in self._engine.state.jobs]:
                del self._specs[ended]
        return spec

    async def _completed_before(self, caller: Identity, completion: Completion) -> None:
        job, _, number = completion.attempt.rpartition("/attempts/")
        found = await self._jobs.attempt(job, int(number))
        if found is None:
            raise stale(completion.attempt)
        attempt, _ = found
        check_worker(caller, attempt)
        if attempt.state is not completion.outcome:
            raise stale(completion.attempt)


def _named(seen: Sighting, run: list[Attempt], stops: list[tuple[str, StopReason]], drain: bool) -> str:
    """A name for the content of an answer; tokens and leases are not news."""
    content = repr((seen.instance, sorted(attempt.name for attempt in run), sorted(stops), drain))
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _grace(reason: StopReason, rules: Rules) -> timedelta:
    """Only who shall checkpoint gets time for it."""
    return rules.stop_grace if reason is StopReason.PREEMPTED else timedelta()


def _check(completion: Completion, job: Job) -> None:
    succeeded = completion.outcome is AttemptState.SUCCEEDED
    said = {
        "model_version": completion.model_version,
        "evaluation": completion.evaluation,
        "output_dataset_version": completion.output_dataset_version,
    }
    makes, problem = _made(job, said) if succeeded else ("", "")
    for field, value in said.items():
        if value and field != makes:
            raise InvalidArgument(f"{field} is for SUCCEEDED only, and for jobs that make one", field=field)
    if problem:
        raise InvalidArgument(f"{makes} must be {problem}; got {said[makes][:120]!a}", field=makes)
    if (completion.outcome is AttemptState.FAILED) != (completion.failure is not None):
        raise InvalidArgument("failure_class and message are for FAILED, and FAILED needs them", field="failure_class")


def _made(job: Job, said: Mapping[str, str]) -> tuple[str, str]:
    """The field that says what the job has made, "" for a profile; and what must be there, "" if it is there."""
    if job.evaluates:
        expected = f"{job.evaluates}/evaluations/{job.name.rpartition('/')[2]}"
        return "evaluation", "" if said["evaluation"] == expected else expected
    for field, parent in (("model_version", job.model), ("output_dataset_version", job.output_dataset)):
        if parent:
            of, _, number = said[field].rpartition("/versions/")
            return field, "" if of == parent and number.isdecimal() else f"a version of {parent}"
    return "", ""
