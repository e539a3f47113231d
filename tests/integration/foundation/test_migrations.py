"""Migrations, on SQLite and on PostgreSQL."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import (
    inspect,
    text,
)

from modelyard.foundation.config import SqlSettings
from modelyard.foundation.sql.engine import Database
from modelyard.foundation.sql.migrations import DatabaseTooNew, migrate

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
