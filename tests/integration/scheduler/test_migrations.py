"""The migrations make the tables that the code expects."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from modelyard.foundation.config import SqlSettings
from modelyard.foundation.sql.engine import Database
from modelyard.foundation.sql.migrations import migrate
from modelyard.scheduler.adapters.sql.schema import metadata
from modelyard.scheduler.runtime import MIGRATIONS, SCHEMA


async def test_the_tables_are_those_of_the_schema(sql_settings: SqlSettings) -> None:
    database = Database(sql_settings, schema=SCHEMA)
    await migrate(database, MIGRATIONS)
    assert await migrate(database, MIGRATIONS) == "0001"

    def differences(connection: Connection) -> list[object]:
        found = compare_metadata(MigrationContext.configure(connection), metadata)
        return [one for one in found if "alembic_version" not in str(one)]

    assert not await database.read(differences)
    database.close()
