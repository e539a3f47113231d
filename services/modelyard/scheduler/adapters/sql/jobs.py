"""The rows of jobs, as use cases other than scheduling need them."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from modelyard.foundation.ids import project_of
from modelyard.foundation.sql.engine import Database
from modelyard.foundation.sql.requests import RequestKey as StoredKey
from modelyard.foundation.sql.requests import forget, once
from modelyard.scheduler.adapters.sql.database import now as database_now
from modelyard.scheduler.adapters.sql.group import GroupCommit
from modelyard.scheduler.adapters.sql.journal import store_records
from modelyard.scheduler.adapters.sql.rows import progress_json, read_attempt, read_record, spec_json
from modelyard.scheduler.adapters.sql.schema import (
    DELETED,
    OPENING,
    attempts,
    jobs,
    log_chunks,
    metrics,
    outbox,
    requests,
)
from modelyard.scheduler.domain.errors import JobExists, job_not_found
from modelyard.scheduler.domain.jobs import ENDED, Attempt, JobState
from modelyard.scheduler.domain.records import JobRecord, Progress
from modelyard.scheduler.service.ports import Audit, DeletedJob, Draft, EndedExecution, Opened, RequestKey
from modelyard.templates.specs import Kind

_SEEN = jobs.c.state.not_in([OPENING, DELETED])
REQUESTS_KEPT = timedelta(days=1)


class SqlJobs:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._group = GroupCommit(database)

    async def open(self, draft: Draft, key: RequestKey, audit: Audit) -> Opened:
        def work(connection: Connection) -> Opened:
            now = database_now(connection)
            stored = StoredKey(key.request_id, key.caller, key.method)

            made: list[JobRecord] = []

            def create() -> bytes:
                made.append(_insert(connection, draft, now))
                store_records(connection, [audit], now)
                return draft.name.encode()

            name = once(connection, requests, stored, key.body, create, now).decode()
            if made:
                return Opened(made[0], False)
            row = connection.execute(select(jobs).where(jobs.c.name == name, jobs.c.state != DELETED)).one_or_none()
            if row is None:
                raise job_not_found(name)
            return Opened(read_record(row), row.state != OPENING)

        return await self._group.run(work)

    async def find_request(self, key: RequestKey) -> JobRecord | None:
        def work(connection: Connection) -> JobRecord | None:
            known = requests.c
            query = select(known.answer).where(
                known.request_id == key.request_id, known.caller == key.caller, known.method == key.method
            )
            name = connection.execute(query).scalar_one_or_none()
            return None if name is None else _get(connection, bytes(name).decode())

        return await self._database.read(work)

    async def discard(self, name: str, *, burn: bool) -> None:
        def work(connection: Connection) -> None:
            connection.execute(delete(requests).where(requests.c.answer == name.encode()))
            still_opening = (jobs.c.name == name, jobs.c.state == OPENING)
            if burn:
                connection.execute(update(jobs).where(*still_opening).values(state=DELETED))
            else:
                connection.execute(delete(jobs).where(*still_opening))

        await self._database.run(work)

    async def unadmitted(self, age: timedelta) -> Sequence[JobRecord]:
        def work(connection: Connection) -> list[JobRecord]:
            before = database_now(connection) - age
            query = select(jobs).where(jobs.c.state == OPENING, jobs.c.create_time <= before)
            return [read_record(row) for row in connection.execute(query)]

        return await self._database.read(work)

    async def get(self, name: str) -> JobRecord | None:
        return await self._database.read(lambda connection: _get(connection, name))

    async def page(
        self, project: str, states: Collection[JobState], before: int | None, limit: int, *, profiles: bool = False
    ) -> Sequence[JobRecord]:
        def work(connection: Connection) -> list[JobRecord]:
            query = select(jobs).where(jobs.c.project == project, _SEEN).order_by(jobs.c.order.desc()).limit(limit)
            if states:
                query = query.where(jobs.c.state.in_([state.value for state in states]))
            if not profiles:
                query = query.where(jobs.c.kind != Kind.PROFILE.value)
            if before is not None:
                query = query.where(jobs.c.order < before)
            return [read_record(row) for row in connection.execute(query)]

        return await self._database.read(work)

    async def attempts(self, job: str, before: int | None, limit: int) -> Sequence[tuple[Attempt, int]]:
        def work(connection: Connection) -> list[tuple[Attempt, int]]:
            query = select(attempts).where(attempts.c.job == job).order_by(attempts.c.number.desc()).limit(limit)
            if before is not None:
                query = query.where(attempts.c.number < before)
            return [_attempt(row) for row in connection.execute(query)]

        return await self._database.read(work)

    async def attempt(self, job: str, number: int) -> tuple[Attempt, int] | None:
        def work(connection: Connection) -> tuple[Attempt, int] | None:
            query = select(attempts).where(attempts.c.job == job, attempts.c.number == number)
            row = connection.execute(query).one_or_none()
            return _attempt(row) if row else None

        return await self._database.read(work)

    async def delete(self, name: str, audit: Audit) -> bool:
        def work(connection: Connection) -> bool:
            now = database_now(connection)
            ended = jobs.c.state.in_([state.value for state in ENDED])
            left = {"state": DELETED, "display_name": "", "labels": {}, "failure_message": "", "failure_detail": ""}
            deleted = update(jobs).where(jobs.c.name == name, ended).values(**left, update_time=now)
            number = connection.execute(deleted.returning(jobs.c.attempt_number)).scalar_one_or_none()
            if number is None:
                return False
            for table in (attempts, log_chunks, metrics):
                connection.execute(delete(table).where(table.c.job == name))
            connection.execute(insert(outbox).values(job=name, attempt=number, outcome=DELETED))
            store_records(connection, [audit], now)
            return True

        return await self._database.run(work)

    async def untold(self, limit: int) -> Sequence[EndedExecution | DeletedJob]:
        def work(connection: Connection) -> list[EndedExecution | DeletedJob]:
            ends_first = (outbox.c.outcome == DELETED, outbox.c.id)
            query = (
                select(outbox, jobs.c.failure_message)
                .join(jobs, jobs.c.name == outbox.c.job)
                .order_by(*ends_first)
                .limit(limit)
            )
            return [_news(row) for row in connection.execute(query)]

        return await self._database.read(work)

    async def told(self, id: int) -> None:
        await self._database.run(lambda connection: connection.execute(delete(outbox).where(outbox.c.id == id)))

    async def forget_requests(self) -> None:
        """Request IDs are remembered for a day."""
        await self._database.run(
            lambda connection: forget(connection, requests, database_now(connection) - REQUESTS_KEPT)
        )


def _insert(connection: Connection, draft: Draft, now: datetime) -> JobRecord:
    values = {
        "name": draft.name,
        "project": project_of(draft.name),
        "uid": draft.uid,
        "revision": 1,
        "display_name": draft.display_name,
        "labels": draft.labels,
        "spec": spec_json(draft.spec),
        "creator": draft.creator,
        "state": OPENING,
        "progress": progress_json(Progress()),
        "attempt_number": 0,
        "losses": 0,
        "checkpoint_step": 0,
        "model_version": "",
        "evaluation": "",
        "output_dataset_version": "",
        "kind": draft.spec.kind.value,
        "failure_class": "",
        "failure_message": "",
        "failure_detail": "",
        "create_time": now,
        "update_time": now,
    }
    dialect = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = dialect(jobs).values(values).on_conflict_do_nothing(index_elements=["name"]).returning(jobs.c.order)
    row = connection.execute(statement).one_or_none()
    if row is None:
        raise JobExists(
            f"{draft.name} exists or existed (IDs of jobs are not used again); choose another job_id, or none",
            field="job_id",
            resource=draft.name,
        )
    return JobRecord(
        name=draft.name,
        uid=draft.uid,
        order=row.order,
        spec=draft.spec,
        state=JobState.QUEUED,
        creator=draft.creator,
        create_time=now,
        update_time=now,
        display_name=draft.display_name,
        labels=draft.labels,
    )


def _news(row: Row[Any]) -> EndedExecution | DeletedJob:
    if row.outcome == DELETED:
        return DeletedJob(row.id, row.job)
    return EndedExecution(row.id, row.job, row.attempt, JobState(row.outcome), row.failure_message)


def _get(connection: Connection, name: str) -> JobRecord | None:
    row = connection.execute(select(jobs).where(jobs.c.name == name, _SEEN)).one_or_none()
    return read_record(row) if row else None


def _attempt(row: Row[Any]) -> tuple[Attempt, int]:
    return read_attempt(row), row.start_step
