"""The durable side of scheduling."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection, insert, or_, select, update

from modelyard.foundation.sql.engine import Database
from modelyard.scheduler.adapters.sql.database import now as database_now
from modelyard.scheduler.adapters.sql.database import put
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
from modelyard.scheduler.domain.decisions import AttemptChanged, Decision, ExecutionEnded, JobChanged, WorkerChanged
from modelyard.scheduler.domain.jobs import ENDED, Attempt, AttemptState, Job, JobState
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
            _store_decisions(connection, written.decisions, now)
            store_records(connection, written.records, now)
            return written.answer

        return await self._database.run(write)


def store_records(connection: Connection, records: Sequence[Record], now: datetime) -> None:
    for record in records:
        match record:
            case Audit():
                values = {
                    "time": now,
                    "subject": record.subject,
                    "token_id": record.token_id,
                    "action": record.action,
                    "resource": record.resource,
                    "request_id": record.request_id,
                }
                connection.execute(insert(audit).values(values))
            case Admitted():
                connection.execute(update(jobs).where(jobs.c.name == record.job).values(spec=spec_json(record.spec)))
            case ProgressSaved():
                connection.execute(
                    update(jobs).where(jobs.c.name == record.job).values(progress=progress_json(record.progress))
                )


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


def _store_decisions(connection: Connection, decisions: Sequence[Decision], now: datetime) -> None:
    """Of several changes of one thing in one transaction only the last is written."""
    changed_jobs: dict[str, Job] = {}
    changed_attempts: dict[str, Attempt] = {}
    changed_workers: dict[str, Worker] = {}
    for decision in decisions:
        match decision:
            case JobChanged():
                changed_jobs[decision.job.name] = decision.job
            case AttemptChanged():
                changed_attempts[decision.attempt.name] = decision.attempt
            case WorkerChanged():
                changed_workers[decision.worker.name] = decision.worker
            case ExecutionEnded():
                job = decision.job
                values = {"job": job.name, "attempt": job.attempt_number, "outcome": job.state.value}
                connection.execute(insert(outbox).values(values))
    for job in changed_jobs.values():
        values = {**job_values(job), "update_time": now, "revision": jobs.c.revision + 1}
        connection.execute(update(jobs).where(jobs.c.name == job.name).values(values))
    for attempt in changed_attempts.values():
        key = {"job": attempt.job, "number": attempt.number}
        put(connection, attempts, key, attempt_values(attempt), start_step=0, report_sequence=0)
    for worker in changed_workers.values():
        put(connection, workers, {"name": worker.name}, worker_values(worker))
