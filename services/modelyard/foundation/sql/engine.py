"""A database as a service sees it: functions of a connection, each run in one transaction on a small thread pool.

database = Database(settings.sql, schema="catalog")
await database.run(lambda connection: connection.execute(insert(projects).values(…)))
"""

import asyncio
import contextlib
import logging
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from modelyard.foundation.config import SqlSettings
from modelyard.foundation.errors import FailedPrecondition, ModelyardError, Unavailable

log = logging.getLogger(__name__)

T = TypeVar("T")

_ATTEMPTS = 5
_SERIALIZATION = frozenset({"40001", "40P01"})
_UNIQUE = "23505"


class BadDatabaseUrl(FailedPrecondition):
    reason = "BAD_DATABASE_URL"


class DatabaseUnavailable(Unavailable):
    reason = "DATABASE_UNAVAILABLE"


class Database:
    """SQLite (one file) or PostgreSQL (one schema of a database)."""

    def __init__(self, settings: SqlSettings, *, schema: str = "") -> None:
        url = _url(settings.url.get_secret_value())
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self.schema = "" if self.is_sqlite else schema
        self.engine = _sqlite(url, settings) if self.is_sqlite else _postgresql(url, settings, schema)
        self._executor = ThreadPoolExecutor(settings.pool_size, thread_name_prefix="sql")
        self._writing = asyncio.Lock()

    async def run(self, work: Callable[[Connection], T], *, retry_unique: bool = False) -> T:
        """`work` in one transaction that writes: all of it or, when it raises, nothing.

        It is run again from the start when the database gave up on a conflict, so it must have no other effects;
        with `retry_unique` also when a row that must be unique was there already (get-or-create). Cancelling the
        caller does not stop a transaction that has begun.
        """
        if not self.is_sqlite:
            return await self._submit(self._attempts, work, False, retry_unique)
        # SQLite has one writer: waiting here costs no thread and is fair, its own lock is neither.
        async with self._writing:
            return await self._submit(self._attempts, work, False, retry_unique)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """`work` in one transaction that only reads, from one consistent snapshot."""
        return await self._submit(self._attempts, work, True, False)

    async def probe(self) -> None:
        """Returns when the database answers, DatabaseUnavailable otherwise."""
        await self.read(lambda connection: connection.execute(text("SELECT 1")).scalar_one())

    def close(self) -> None:
        self._executor.shutdown(wait=True)
        self.engine.dispose()

    async def _submit(self, function: Callable[..., T], *arguments: Any) -> T:
        context = copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._executor, context.run, function, *arguments)

    def _attempts(self, work: Callable[[Connection], T], reads: bool, retry_unique: bool) -> T:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._once(work, reads)
            except DBAPIError as error:
                again = is_conflict(error) or (retry_unique and is_unique_violation(error))
                if again and attempt < _ATTEMPTS:
                    log.info("transaction run again", extra={"attempt": attempt, "error": type(error.orig).__name__})
                    time.sleep(random.uniform(0.5, 1.5) * 0.01 * 2**attempt)
                elif isinstance(error, IntegrityError) or not (again or _is_connection_loss(error)):
                    raise
                elif _is_full(error):
                    raise DatabaseUnavailable("the disk of the database is full; free some space") from error
                else:
                    log.error("the database failed", extra={"error": str(error.orig)})
                    raise DatabaseUnavailable("the database cannot be reached or is too busy; try again") from error
            except PoolTimeoutError as error:
                raise DatabaseUnavailable("the database is too busy; try again") from error
        raise AssertionError("the last attempt returns or raises")

    def _once(self, work: Callable[[Connection], T], reads: bool) -> T:
        with self.engine.connect() as connection:
            connection = connection.execution_options(modelyard_reads=reads)
            if reads and not self.is_sqlite:
                connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                return work(connection)


@contextlib.contextmanager
def unique(connection: Connection, error: Callable[[], ModelyardError]) -> Iterator[None]:
    """Turns the violation of a unique key in the block into `error()`; the transaction can go on after it."""
    try:
        with connection.begin_nested():
            yield
    except IntegrityError as violation:
        if is_unique_violation(violation):
            raise error() from None
        raise


def is_unique_violation(error: DBAPIError) -> bool:
    if getattr(error.orig, "sqlstate", None) == _UNIQUE:
        return True
    return getattr(error.orig, "sqlite_errorname", "") in ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY")


def is_conflict(error: DBAPIError) -> bool:
    """Whether the database gave the transaction up for the sake of another one."""
    if getattr(error.orig, "sqlstate", None) in _SERIALIZATION:
        return True
    return str(getattr(error.orig, "sqlite_errorname", "")).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))


def _is_full(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlite_errorname", "") == "SQLITE_FULL"


def _is_connection_loss(error: DBAPIError) -> bool:
    return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)


def _url(text: str) -> URL:
    try:
        url = make_url(text)
    except ArgumentError:
        raise BadDatabaseUrl(
            "the database URL must look like sqlite:///file or postgresql+psycopg://user@host/db"
        ) from None
    if url.drivername in ("sqlite", "postgresql+psycopg"):
        return url
    if url.drivername == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    raise BadDatabaseUrl(f"{url.drivername} is not supported; use sqlite:///file or postgresql+psycopg://user@host/db")


def _sqlite(url: URL, settings: SqlSettings) -> Engine:
    if not url.database or url.database == ":memory:":
        raise BadDatabaseUrl("SQLite needs a file: every connection of the pool must see the same database")
    Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url, pool_size=settings.pool_size, max_overflow=0, connect_args={"timeout": settings.busy_timeout_s}
    )

    @event.listens_for(engine, "connect")
    def connect(connection: Any, record: object) -> None:
        # The driver must not begin transactions by itself: `begin` below says which kind.
        connection.isolation_level = None
        _write_ahead(connection, settings.busy_timeout_s)
        for pragma in ("synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        reads = connection.get_execution_options().get("modelyard_reads", False)
        # A read that turns into a write would meet SQLITE_BUSY half-way: writers take the lock first.
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def _write_ahead(connection: sqlite3.Connection, patience_s: float) -> None:
    """Turn the write-ahead log on. Where two processes do that to a new file at once, SQLite refuses one of them
    without waiting (it might be a deadlock), so the waiting is ours."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(random.uniform(0.005, 0.05))


def _postgresql(url: URL, settings: SqlSettings, schema: str) -> Engine:
    arguments: dict[str, Any] = {"connect_timeout": 5, "application_name": f"modelyard-{schema or 'sql'}"}
    if schema:
        arguments["options"] = f"-csearch_path={schema} -clock_timeout={int(settings.busy_timeout_s * 1000)}"
    return create_engine(
        url,
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_pre_ping=True,
        pool_timeout=settings.busy_timeout_s,
        connect_args=arguments,
    )
