"""The migrations make the tables that the code expects, and keep what was there."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, column, insert, select, table

from modelyard.foundation.config import SqlSettings
from modelyard.foundation.sql.engine import Database
from modelyard.foundation.sql.migrations import migrate
from modelyard.inference.adapters.rows import assignment_of, deployment_of, row_of
from modelyard.inference.adapters.sql import MIGRATIONS
from modelyard.inference.adapters.tables import assignments, metadata
from modelyard.inference.domain.deployments import Deployment, ModelVersion
from modelyard.inference.domain.hosts import Assignment

SCHEMA = "inference"
NOW = datetime(2026, 11, 25, tzinfo=UTC)


async def test_the_tables_are_those_of_the_schema(sql_settings: SqlSettings) -> None:
    database = Database(sql_settings, schema=SCHEMA)
    await migrate(database, MIGRATIONS)
    assert await migrate(database, MIGRATIONS) == "0002"

    def differences(connection: Connection) -> list[object]:
        found = compare_metadata(MigrationContext.configure(connection), metadata)
        return [one for one in found if "alembic_version" not in str(one)]

    assert not await database.read(differences)
    database.close()


async def test_what_the_first_release_served_is_not_foreign(sql_settings: SqlSettings, tmp_path: Path) -> None:
    shutil.copy(MIGRATIONS / "0001_tables.py", tmp_path)
    database = Database(sql_settings, schema=SCHEMA)
    await migrate(database, tmp_path)
    served = Assignment("projects/p/deployments/d", "projects/p/models/m/versions/1", "hosts/h", "d", "n", True, NOW)

    def before(connection: Connection) -> None:
        known = [one for one in assignments.columns if one.name != "foreign"]
        old = {name: value for name, value in row_of(served).items() if name != "foreign"}
        connection.execute(insert(table(assignments.name, *(column(one.name, one.type) for one in known))).values(old))

    await database.run(before)
    await migrate(database, MIGRATIONS)
    row = await database.read(lambda connection: connection.execute(select(assignments)).mappings().one())
    assert assignment_of(row) == served
    database.close()


def test_a_deployment_of_the_first_release_is_read_as_not_foreign() -> None:
    target = ModelVersion("projects/p/models/m/versions/1", "sha256:1", True)
    row = row_of(Deployment("projects/p/deployments/d", "u", "e", target, "tokens/t", NOW, NOW))
    del row["target"]["foreign"]
    assert deployment_of(row).target == target
