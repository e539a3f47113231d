"""The same on SQLite and on PostgreSQL."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import (
    Column,
    Connection,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError

from modelyard.foundation.auth.identity import current_identity
from modelyard.foundation.config import SqlSettings
from modelyard.foundation.errors import AlreadyExists, InvalidArgument
from modelyard.foundation.sql.engine import BadDatabaseUrl, Database, DatabaseUnavailable, unique
from modelyard.foundation.sql.migrations import DatabaseTooNew, migrate
from modelyard.foundation.sql.requests import RequestIdReused, RequestKey, forget, once, requests_table
from modelyard.foundation.sql.types import UtcTime, json_type, row_id
from tests.support.servers import Issuers

METADATA = MetaData()
THINGS = Table(
    "things",
    METADATA,
    Column("id", row_id(), primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("state", String(16), nullable=False, default="QUEUED"),
    Column("facts", json_type()),
    Column("create_time", UtcTime),
    Column("parent", row_id(), ForeignKey("things.id")),
)
COUNTER = Table("counter", METADATA, Column("value", Integer, nullable=False))
REQUESTS = requests_table(METADATA)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def database(sql_settings: SqlSettings) -> Iterator[Database]:
    database = Database(sql_settings)
    METADATA.create_all(database.engine)
    yield database
    database.close()


def add(connection: Connection, name: str, **values: object) -> int:
    key = connection.execute(insert(THINGS).values(name=name, **values).returning(THINGS.c.id)).scalar_one()
    return int(key)


def count(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(THINGS)).scalar_one())


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


# request_id


def key(request_id: str = "r1", caller: str = "tokens/t", method: str = "/a.B/CreateThing") -> RequestKey:
    return RequestKey(request_id, caller, method)


class Create:
    """A use case that creates one thing and answers with its ID."""

    def __init__(self) -> None:
        self.done = 0

    def __call__(self, connection: Connection, which: RequestKey, body: bytes) -> bytes:
        def work() -> bytes:
            self.done += 1
            return str(add(connection, f"thing-{self.done}")).encode()

        return once(connection, REQUESTS, which, body, work, NOW)


async def test_the_same_request_twice_is_done_once(database: Database) -> None:
    create = Create()
    first = await database.run(lambda c: create(c, key(), b"body"))
    assert await database.run(lambda c: create(c, key(), b"body")) == first
    assert await database.read(count) == 1


async def test_the_same_id_with_another_body_is_refused(database: Database) -> None:
    create = Create()
    await database.run(lambda c: create(c, key(), b"body"))
    with pytest.raises(RequestIdReused) as caught:
        await database.run(lambda c: create(c, key(), b"other"))
    assert caught.value.field == "request_id"
    assert await database.read(count) == 1


@pytest.mark.parametrize("other", [key("r2"), key(caller="tokens/u"), key(method="/a.B/CreateOther"), key("")])
async def test_another_request_is_done_for_itself(database: Database, other: RequestKey) -> None:
    create = Create()
    await database.run(lambda c: create(c, key(), b"body"))
    await database.run(lambda c: create(c, other, b"body"))
    assert await database.read(count) == 2


async def test_without_an_id_each_request_counts(database: Database) -> None:
    create = Create()
    for _ in range(2):
        await database.run(lambda c: create(c, key(""), b"body"))
    assert await database.read(count) == 2


async def test_a_request_that_failed_can_be_sent_again(database: Database) -> None:
    def fail(connection: Connection) -> bytes:
        def work() -> bytes:
            raise RuntimeError("stop")

        return once(connection, REQUESTS, key(), b"body", work, NOW)

    with pytest.raises(RuntimeError):
        await database.run(fail)
    create = Create()
    await database.run(lambda c: create(c, key(), b"body"))
    assert create.done == 1


async def test_twenty_at_once_are_done_once(database: Database) -> None:
    create = Create()
    answers = await asyncio.gather(*[database.run(lambda c: create(c, key(), b"body")) for _ in range(20)])
    assert len(set(answers)) == 1
    assert await database.read(count) == 1


@pytest.mark.parametrize("request_id", ["a b", "ü", "x" * 65, "a/b", "a\n"])
async def test_an_id_of_another_form_is_refused(database: Database, request_id: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await database.run(lambda c: Create()(c, key(request_id), b"body"))
    assert caught.value.field == "request_id"


async def test_old_requests_are_forgotten(database: Database) -> None:
    create = Create()
    await database.run(lambda c: create(c, key(), b"body"))
    assert await database.run(lambda c: forget(c, REQUESTS, NOW)) == 0
    assert await database.run(lambda c: forget(c, REQUESTS, NOW + timedelta(seconds=1))) == 1
    await database.run(lambda c: create(c, key(), b"other"))
    assert create.done == 2


# migrations

FIRST = '''
"""first"""
import sqlalchemy as sa
from alembic import op
from modelyard.foundation.sql.requests import requests_columns
revision, down_revision = "0001", None
def upgrade():
    op.create_table("animals", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(10)))
    op.create_table("requests", *requests_columns())
def downgrade():
    op.drop_table("animals")
'''
SECOND = '''
"""second"""
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0002", "0001"
def upgrade():
    with op.batch_alter_table("animals") as table:
        table.add_column(sa.Column("legs", sa.Integer, server_default="4", nullable=False))
        table.create_unique_constraint("animals_name", ["name"])
def downgrade():
    pass
'''
BROKEN = (
    SECOND.replace('"0002", "0001"', '"0003", "0002"')
    .replace("with op", "op.drop_table('requests')\n    with op")
    .replace("legs", "name")
)


@pytest.fixture
def revisions(tmp_path: Path) -> Path:
    folder = tmp_path / "some folder" / "migrations"
    folder.mkdir(parents=True)
    (folder / "0001_first.py").write_text(FIRST)
    return folder


@pytest.fixture
def empty(sql_settings: SqlSettings) -> Iterator[Database]:
    database = Database(sql_settings, schema="zoo")
    yield database
    database.close()


def tables(database: Database) -> set[str]:
    return set(inspect(database.engine).get_table_names(schema=database.schema or None))


async def test_a_database_is_brought_to_the_newest_revision_and_keeps_its_rows(
    empty: Database, revisions: Path
) -> None:
    assert await migrate(empty, revisions) == "0001"
    assert tables(empty) == {"alembic_version", "animals", "requests"}
    await empty.run(lambda c: c.execute(text("INSERT INTO animals (id, name) VALUES (1, 'cat')")))
    assert await migrate(empty, revisions) == "0001"
    (revisions / "0002_second.py").write_text(SECOND)
    assert await migrate(empty, revisions) == "0002"
    rows = await empty.read(lambda c: c.execute(text("SELECT id, name, legs FROM animals")).all())
    assert rows == [(1, "cat", 4)]


async def test_a_migration_that_fails_changes_nothing(empty: Database, revisions: Path) -> None:
    (revisions / "0002_second.py").write_text(SECOND)
    await migrate(empty, revisions)
    (revisions / "0003_broken.py").write_text(BROKEN)
    with pytest.raises(Exception, match="name"):
        await migrate(empty, revisions)
    assert tables(empty) == {"alembic_version", "animals", "requests"}
    (revisions / "0003_broken.py").unlink()
    assert await migrate(empty, revisions) == "0002"


async def test_a_database_of_a_newer_version_is_refused_and_left_alone(empty: Database, revisions: Path) -> None:
    second = revisions / "0002_second.py"
    second.write_text(SECOND)
    await migrate(empty, revisions)
    second.unlink()
    with pytest.raises(DatabaseTooNew, match="written by a newer one") as caught:
        await migrate(empty, revisions)
    assert caught.value.facts == {"revision": "0002"}
    second.write_text(SECOND)
    assert await migrate(empty, revisions) == "0002"


async def test_two_processes_may_start_at_once(sql_settings: SqlSettings, empty: Database, revisions: Path) -> None:
    (revisions / "0002_second.py").write_text(SECOND)
    other = Database(sql_settings, schema="zoo")
    first, second = await asyncio.gather(migrate(empty, revisions), migrate(other, revisions))
    assert (first, second) == ("0002", "0002")
    other.close()


@pytest.mark.parametrize("sql_settings", ["postgresql"], indirect=True)
async def test_services_share_a_postgresql_without_meeting(
    sql_settings: SqlSettings, empty: Database, revisions: Path
) -> None:
    farm = Database(sql_settings, schema="farm")
    await migrate(empty, revisions)
    await migrate(farm, revisions)
    await farm.run(lambda c: c.execute(text("INSERT INTO animals (id) VALUES (1)")))
    assert await empty.read(lambda c: c.execute(text("SELECT count(*) FROM animals")).scalar_one()) == 0
    farm.close()
