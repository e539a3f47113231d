"""The durable side of scheduling."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection, delete, or_, select, update

from modelyard.foundation.sql.engine import Database
from modelyard.scheduler.adapters.sql.database import add, change, put
from modelyard.scheduler.adapters.sql.database import now as database_now
from modelyard.scheduler.adapters.sql.rows import (
    attempt_values,
    job_values,
    progress_json,
    read_attempt,
    read_job,
    read_worker,
    spec_json,
    worker_values,
)
from modelyard.scheduler.adapters.sql.schema import attempts, audit, jobs, outbox, scheduler, workers
from modelyard.scheduler.domain.decisions import (
    AttemptChanged,
    Decision,
    ExecutionEnded,
    JobChanged,
    WorkerChanged,
    WorkerForgotten,
)
from modelyard.scheduler.domain.jobs import ENDED, Attempt, AttemptState, Job, JobState
from modelyard.scheduler.domain.records import JobSpec
from modelyard.scheduler.domain.state import Rules, State
from modelyard.scheduler.domain.workers import Worker
from modelyard.scheduler.service.ports import Admitted, Audit, ProgressSaved, Record, TakenOver, Written

T = TypeVar("T")

_ACTIVE = [state.value for state in JobState if state not in ENDED]
_CURRENT = [AttemptState.ASSIGNED.value, AttemptState.PREPARING.value, AttemptState.RUNNING.value]


class SqlJournal:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._epoch = 0

    async def take_over(self) -> None:
        def work(connection: Connection) -> int:
            epoch: int = connection.execute(
                update(scheduler).values(epoch=scheduler.c.epoch + 1).returning(scheduler.c.epoch)
            ).scalar_one()
            return epoch

        self._epoch = await self._database.run(work)

    async def load(self, rules: Rules) -> State:
        return await self._database.read(lambda connection: _load(connection, rules))

    async def now(self) -> datetime:
        return await self._database.read(database_now)

    async def commit(self, work: Callable[[datetime], Written[T]]) -> T:
        def write(connection: Connection) -> T:
            # The row stays locked until the end, so that a newer process reads what was stored here, or nothing of it.
            if connection.execute(select(scheduler.c.epoch).with_for_update()).scalar_one() != self._epoch:
                raise TakenOver
            now = database_now(connection)
            written = work(now)
            specs = {one.job: one.spec for one in written.records if isinstance(one, Admitted)}
            _store_decisions(connection, written.decisions, specs, now)
            store_records(connection, written.records, now)
            return written.answer

        return await self._database.run(write)


def store_records(connection: Connection, records: Sequence[Record], now: datetime) -> None:
    """All but Admitted, which is stored with the job that it is about."""
    entries = [one for one in records if isinstance(one, Audit)]
    add(
        connection,
        audit,
        [
            {
                "time": now,
                "subject": one.subject,
                "token_id": one.token_id,
                "action": one.action,
                "resource": one.resource,
                "request_id": one.request_id,
            }
            for one in entries
        ],
    )
    saved = {one.job: progress_json(one.progress) for one in records if isinstance(one, ProgressSaved)}
    change(connection, jobs, "name", [{"name": job, "progress": progress} for job, progress in saved.items()])


def _load(connection: Connection, rules: Rules) -> State:
    current: dict[str, Attempt] = {}
    held: dict[str, Attempt] = {}
    wanted = or_(attempts.c.state.in_(_CURRENT), attempts.c.held)
    for row in connection.execute(select(attempts).where(wanted)):
        attempt = read_attempt(row)
        if attempt.held:
            held[attempt.name] = attempt
        else:
            current[attempt.job] = attempt
    rows = connection.execute(select(jobs).where(jobs.c.state.in_(_ACTIVE)).order_by(jobs.c.order))
    return State(
        rules,
        {row.name: read_job(row, current.get(row.name)) for row in rows},
        {row.name: read_worker(row) for row in connection.execute(select(workers))},
        held,
    )


def _store_decisions(
    connection: Connection, decisions: Sequence[Decision], specs: Mapping[str, JobSpec], now: datetime
) -> None:
    """Of several changes of one thing in one transaction only the last is written."""
    changed = _Changed()
    for decision in decisions:
        changed.take(decision)
    plain, admitted = [], []
    for job in changed.jobs.values():
        values = {"name": job.name, **job_values(job), "update_time": now}
        if job.name in specs:
            admitted.append({**values, "spec": spec_json(specs[job.name])})
        else:
            plain.append(values)
    for rows in (plain, admitted):
        change(connection, jobs, "name", rows, revision=jobs.c.revision + 1)
    attempt_rows = [{"job": one.job, "number": one.number, **attempt_values(one)} for one in changed.attempts.values()]
    put(connection, attempts, ("job", "number"), attempt_rows, start_step=0, report_sequence=0)
    put(connection, workers, ("name",), [{"name": one.name, **worker_values(one)} for one in changed.workers.values()])
    if changed.forgotten:
        connection.execute(delete(workers).where(workers.c.name.in_(changed.forgotten)))
    ended = [{"job": job.name, "attempt": job.attempt_number, "outcome": job.state.value} for job in changed.ended]
    add(connection, outbox, ended)


@dataclass(slots=True)
class _Changed:
    jobs: dict[str, Job] = field(default_factory=dict)
    attempts: dict[str, Attempt] = field(default_factory=dict)
    workers: dict[str, Worker] = field(default_factory=dict)
    forgotten: set[str] = field(default_factory=set)
    ended: list[Job] = field(default_factory=list)

    def take(self, decision: Decision) -> None:
        match decision:
            case JobChanged():
                self.jobs[decision.job.name] = decision.job
            case AttemptChanged():
                self.attempts[decision.attempt.name] = decision.attempt
            case WorkerChanged():
                self.workers[decision.worker.name] = decision.worker
                self.forgotten.discard(decision.worker.name)
            case WorkerForgotten():
                self.workers.pop(decision.worker, None)
                self.forgotten.add(decision.worker)
            case ExecutionEnded():
                self.ended.append(decision.job)
