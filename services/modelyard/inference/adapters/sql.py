"""Everything durable, in SQLite or PostgreSQL."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, delete, insert, select, text, tuple_, update

from modelyard.foundation.clock import from_micros, to_micros
from modelyard.foundation.errors import ModelyardError
from modelyard.foundation.sql.engine import Database
from modelyard.foundation.sql.requests import RequestKey, forget, once
from modelyard.inference.adapters import tables
from modelyard.inference.adapters.rows import Row, assignment_of, deployment_of, hold_of, host_of, row_of
from modelyard.inference.domain.deployments import Deployment, Hold, not_found, taken
from modelyard.inference.domain.hosts import Assignment, Host, HostNotFound
from modelyard.inference.domain.reconcile import Plan, World
from modelyard.inference.domain.routes import fingerprint
from modelyard.inference.service.ports import Audit, Request, Settled

MIGRATIONS = Path(__file__).parent / "migrations"
_REMEMBER_REQUESTS = timedelta(days=1)
_TIMES = ("create_time", "update_time")

T = TypeVar("T")


class SqlRecords:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, deployment: Deployment, request: Request, audit: Audit) -> Deployment:
        def work(connection: Connection) -> Deployment:
            def once_only() -> bytes:
                existing = _deployment(connection, deployment.name)
                if existing is not None:
                    raise taken(existing)
                row = row_of(deployment)
                connection.execute(insert(tables.deployments).values(row))
                _record(connection, audit)
                return _encoded(row)

            forget(connection, tables.requests, audit.time - _REMEMBER_REQUESTS)
            key = RequestKey(request.request_id, audit.subject, audit.action)
            answer = once(connection, tables.requests, key, request.body, once_only, audit.time)
            return deployment_of(_decoded(answer))

        return await self._write(work)

    async def get(self, name: str) -> Deployment:
        found = await self._database.read(lambda connection: _deployment(connection, name))
        if found is None:
            raise not_found(name)
        return found

    async def page(self, project: str, after: str, limit: int) -> list[Deployment]:
        table = tables.deployments
        query = (
            select(table).where(table.c.project == project, table.c.name > after).order_by(table.c.name).limit(limit)
        )
        return await self._database.read(
            lambda connection: [deployment_of(row) for row in connection.execute(query).mappings()]
        )

    async def change(self, name: str, change: Callable[[Deployment], Deployment], audit: Audit) -> Deployment:
        def work(connection: Connection) -> Deployment:
            known = _deployment(connection, name)
            if known is None:
                raise not_found(name)
            changed = change(known)
            if changed != known:
                _put(connection, tables.deployments, row_of(changed))
                _record(connection, audit)
            return changed

        return await self._write(work)

    async def beat(self, name: str, change: Callable[[Host | None], Host]) -> tuple[Host | None, Host]:
        def work(connection: Connection) -> tuple[Host | None, Host]:
            known = _host(connection, name)
            changed = change(known)
            if known is None:
                connection.execute(insert(tables.hosts).values(row_of(changed)))
            else:
                _put(connection, tables.hosts, row_of(changed))
            return known, changed

        return await self._write(work)

    async def change_host(self, name: str, change: Callable[[Host], Host], audit: Audit) -> Host:
        def work(connection: Connection) -> Host:
            known = _host(connection, name)
            if known is None:
                raise _no_host(name)
            changed = change(known)
            _put(connection, tables.hosts, row_of(changed))
            _record(connection, audit)
            return changed

        return await self._write(work)

    async def settle(self, decide: Callable[[World], Plan]) -> Settled:
        def work(connection: Connection) -> Settled:
            before = _world(connection)
            plan = decide(before)
            after = plan.world
            for table, old, new in (
                (tables.deployments, before.deployments, after.deployments),
                (tables.hosts, before.hosts, after.hosts),
                (tables.assignments, before.assignments, after.assignments),
                (tables.holds, before.holds, after.holds),
            ):
                _replace(connection, table, old, new)
            return Settled(plan, _revision(connection, fingerprint(plan.routes)))

        return await self._write(work)

    async def unsettled_holds(self) -> list[Hold]:
        query = select(tables.holds).where(~tables.holds.c.settled).order_by(tables.holds.c.deployment)
        return await self._database.read(
            lambda connection: [hold_of(row) for row in connection.execute(query).mappings()]
        )

    async def answer_hold(self, asked: Hold, answer: Hold) -> None:
        def work(connection: Connection) -> None:
            row = connection.execute(select(tables.holds).where(_is(tables.holds, row_of(asked)))).mappings().first()
            if row is not None and hold_of(row) == asked:
                _put(connection, tables.holds, row_of(answer))

        await self._write(work)

    async def _write(self, work: Callable[[Connection], T]) -> T:
        """One writer at a time, as SQLite has it: what is read in `work` is still so when it writes."""

        def alone(connection: Connection) -> T:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('modelyard.inference'))"))
            return work(connection)

        return await self._database.run(alone)


def _world(connection: Connection) -> World:
    def every(table: Table, of: Callable[[Any], T]) -> tuple[T, ...]:
        return tuple(of(row) for row in connection.execute(select(table)).mappings())

    return World(
        every(tables.deployments, deployment_of),
        every(tables.hosts, host_of),
        every(tables.assignments, assignment_of),
        every(tables.holds, hold_of),
    )


def _replace(
    connection: Connection,
    table: Table,
    old: Iterable[Deployment | Host | Assignment | Hold],
    new: Iterable[Deployment | Host | Assignment | Hold],
) -> None:
    """Makes the rows of `old` those of `new`, touching only what differs."""
    before = {_key(table, row): row for row in map(row_of, old)}
    after = {_key(table, row): row for row in map(row_of, new)}
    gone = [key for key in before if key not in after]
    if gone:
        connection.execute(delete(table).where(tuple_(*table.primary_key.columns).in_(gone)))
    for key, row in after.items():
        if key not in before:
            connection.execute(insert(table).values(row))
        elif row != before[key]:
            _put(connection, table, row)


def _revision(connection: Connection, print_now: str) -> int:
    table = tables.route_table
    row = connection.execute(select(table)).mappings().first()
    if row is None:
        connection.execute(insert(table).values(id=1, revision=1, fingerprint=print_now))
        return 1
    if row["fingerprint"] == print_now:
        return int(row["revision"])
    revision = int(row["revision"]) + 1
    connection.execute(update(table).values(revision=revision, fingerprint=print_now))
    return revision


def _deployment(connection: Connection, name: str) -> Deployment | None:
    query = select(tables.deployments).where(tables.deployments.c.name == name)
    row = connection.execute(query).mappings().first()
    return None if row is None else deployment_of(row)


def _host(connection: Connection, name: str) -> Host | None:
    row = connection.execute(select(tables.hosts).where(tables.hosts.c.name == name)).mappings().first()
    return None if row is None else host_of(row)


def _no_host(name: str) -> ModelyardError:
    return HostNotFound(f"{name} does not exist; list the hosts to see which do", resource=name)


def _put(connection: Connection, table: Table, row: Row) -> None:
    connection.execute(update(table).where(_is(table, row)).values(row))


def _is(table: Table, row: Row) -> Any:
    return tuple_(*table.primary_key.columns) == _key(table, row)


def _key(table: Table, row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[column.name] for column in table.primary_key.columns)


def _record(connection: Connection, audit: Audit) -> None:
    connection.execute(
        insert(tables.audit).values(
            time=audit.time,
            subject=audit.subject,
            token_id=audit.token_id,
            action=audit.action,
            resource=audit.resource,
        )
    )


def _encoded(row: Row) -> bytes:
    return json.dumps({**row, **{name: to_micros(row[name]) for name in _TIMES}}).encode()


def _decoded(answer: bytes) -> Row:
    row: Row = json.loads(answer)
    return {**row, **{name: from_micros(row[name]) for name in _TIMES}}
