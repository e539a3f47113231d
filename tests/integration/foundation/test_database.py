"""The same on SQLite and on PostgreSQL."""

import asyncio
import sqlite3
import threading
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import (
    Connection,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from modelyard.foundation.auth.identity import current_identity
from modelyard.foundation.config import SqlSettings
from modelyard.foundation.errors import AlreadyExists
from modelyard.foundation.sql.engine import BadDatabaseUrl, Database, DatabaseUnavailable, unique
from tests.integration.foundation.things import COUNTER, THINGS, add, count
from tests.support.servers import Issuers


async def test_a_transaction_is_whole(database: Database) -> None:
    await database.run(lambda connection: add(connection, "a"))

    def half(connection: Connection) -> None:
        add(connection, "b")
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        await database.run(half)
    assert await database.read(count) == 1


async def test_reading_cannot_write_on_postgresql_and_sees_one_moment(database: Database) -> None:
    seen, changed = threading.Event(), threading.Event()

    def read_twice(connection: Connection) -> tuple[int, int]:
        first = count(connection)
        seen.set()
        assert changed.wait(10)
        return first, count(connection)

    reading = asyncio.create_task(database.read(read_twice))
    await asyncio.to_thread(seen.wait, 10)
    await database.run(lambda connection: add(connection, "a"))
    changed.set()
    assert await reading == (0, 0)
    assert await database.read(count) == 1


async def test_times_come_back_aware_and_exact(database: Database) -> None:
    moment = datetime(2026, 11, 24, 23, 59, 59, 999_999, tzinfo=timezone(timedelta(hours=2)))
    await database.run(lambda connection: add(connection, "a", create_time=moment))
    stored = await database.read(lambda c: c.execute(select(THINGS.c.create_time)).scalar_one())
    assert stored == moment
    assert stored.tzinfo is UTC


async def test_json_comes_back(database: Database) -> None:
    facts = {"a": [1, None, "ü"], "b": {"c": True}}
    await database.run(lambda connection: add(connection, "a", facts=facts))
    assert await database.read(lambda c: c.execute(select(THINGS.c.facts)).scalar_one()) == facts


async def test_row_ids_count_up(database: Database) -> None:
    first = await database.run(lambda connection: add(connection, "a"))
    assert await database.run(lambda connection: add(connection, "b")) == first + 1


async def test_foreign_keys_are_enforced(database: Database) -> None:
    with pytest.raises(IntegrityError):
        await database.run(lambda connection: add(connection, "a", parent=999))


class ThingExists(AlreadyExists):
    reason = "THING_EXISTS"


async def test_a_unique_key_becomes_an_error_and_the_transaction_goes_on(database: Database) -> None:
    await database.run(lambda connection: add(connection, "a"))

    def add_or_say(connection: Connection) -> int:
        with pytest.raises(ThingExists), unique(connection, lambda: ThingExists("a is taken")):
            add(connection, "a")
        return add(connection, "b")

    await database.run(add_or_say)
    assert await database.read(count) == 2


async def test_other_violations_stay_what_they_are(database: Database) -> None:
    def add_orphan(connection: Connection) -> None:
        with unique(connection, lambda: ThingExists("x")):
            add(connection, "a", parent=999)

    with pytest.raises(IntegrityError):
        await database.run(add_orphan)


async def test_get_or_create_races_have_one_winner(database: Database) -> None:
    def get_or_create(connection: Connection) -> int:
        found = connection.execute(select(THINGS.c.id).where(THINGS.c.name == "a")).scalar_one_or_none()
        return int(found) if found is not None else add(connection, "a")

    ids = await asyncio.gather(*[database.run(get_or_create, retry_unique=True) for _ in range(20)])
    assert len(set(ids)) == 1
    assert await database.read(count) == 1


async def test_no_increment_is_lost(database: Database) -> None:
    await database.run(lambda c: c.execute(insert(COUNTER).values(value=0)))
    step = update(COUNTER).values(value=COUNTER.c.value + 1)
    await asyncio.gather(*[database.run(lambda c: c.execute(step)) for _ in range(50)])
    assert await database.read(lambda c: c.execute(select(COUNTER.c.value)).scalar_one()) == 50


async def test_each_queued_thing_is_claimed_once_by_two_processes(
    sql_settings: SqlSettings, database: Database
) -> None:
    for number in range(30):
        await database.run(partial(add, name=f"t{number}"))
    other = Database(sql_settings)

    def claim(connection: Connection) -> int | None:
        oldest = select(THINGS.c.id).where(THINGS.c.state == "QUEUED").order_by(THINGS.c.id).limit(1)
        if connection.dialect.name == "postgresql":
            oldest = oldest.with_for_update(skip_locked=True)
        guard = update(THINGS).where(THINGS.c.id == oldest.scalar_subquery(), THINGS.c.state == "QUEUED")
        return connection.execute(guard.values(state="TAKEN").returning(THINGS.c.id)).scalar_one_or_none()

    async def claim_all(mine: Database) -> list[int]:
        claimed = []
        while (key := await mine.run(claim)) is not None:
            claimed.append(key)
        return claimed

    claims = await asyncio.gather(*[claim_all(each) for each in (database, other) for _ in range(4)])
    other.close()
    taken = [key for claimed in claims for key in claimed]
    assert len(taken) == len(set(taken)) == 30


async def test_the_caller_is_known_inside_a_transaction(database: Database, issuers: Issuers) -> None:
    identity = issuers.act_as("viewer", "p")
    assert await database.run(lambda connection: current_identity()) is identity


async def test_a_database_that_is_away_is_unavailable(tmp_path: Path) -> None:
    url = SecretStr(f"postgresql+psycopg://u@/d?host={tmp_path}")
    database = Database(SqlSettings(url=url, busy_timeout_s=1))
    with pytest.raises(DatabaseUnavailable):
        await database.probe()
    database.close()


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://h/d", "sqlite://", "sqlite:///:memory:"])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(BadDatabaseUrl):
        Database(SqlSettings(url=SecretStr(url)))


async def test_a_new_file_that_another_process_writes_into_is_waited_for(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "new.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("CREATE TABLE animals (id INTEGER)")
    database = Database(SqlSettings(url=SecretStr(f"sqlite:///{tmp_path}/new.sqlite")))
    opening = asyncio.create_task(asyncio.to_thread(database.engine.connect))
    done, _ = await asyncio.wait({opening}, timeout=0.2)
    assert not done
    other.execute("COMMIT")
    (await opening).close()
    other.close()
    database.close()


async def test_a_full_disk_is_said(tmp_path: Path) -> None:
    database = Database(SqlSettings(url=SecretStr(f"sqlite:///{tmp_path}/full.sqlite"), pool_size=1))

    def fill(connection: Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE animals (name TEXT)")
        connection.exec_driver_sql("PRAGMA max_page_count = 3")
        connection.exec_driver_sql("INSERT INTO animals VALUES (?)", ("a" * 100_000,))

    with pytest.raises(DatabaseUnavailable, match="the disk of the database is full; free some space"):
        await database.run(fill)
    database.close()
