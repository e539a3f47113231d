"""Bringing a database up to the code's version, with Alembic.

A service's `adapters/migrations/` holds one file a revision and nothing else; `env.py` is ours, for all of them.
"""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from modelyard.foundation.errors import FailedPrecondition
from modelyard.foundation.sql.engine import Database

_ENVIRONMENT = Path(__file__).parent / "environment"


class DatabaseTooNew(FailedPrecondition):
    reason = "DATABASE_TOO_NEW"


async def migrate(database: Database, folder: Path) -> str:
    """Upgrades to the newest revision in `folder`, which it returns; two processes at once do it one after the other.

    A database that was written by a newer version is refused and left as it is.
    """
    return await asyncio.to_thread(_migrate, database, folder)


def config(folder: Path, connection: Connection | None = None) -> Config:
    """Alembic's configuration for the revisions in `folder`, also for `alembic.command.revision`."""
    settings = Config()
    settings.set_main_option("script_location", str(_ENVIRONMENT).replace("%", "%%"))
    settings.set_main_option("version_locations", str(folder).replace("%", "%%"))
    settings.set_main_option("path_separator", "newline")
    settings.attributes["connection"] = connection
    return settings


def _migrate(database: Database, folder: Path) -> str:
    with database.engine.connect() as connection, connection.begin():
        if database.schema:
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:schema))"), {"schema": database.schema})
            connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{database.schema}"'))
        settings = config(folder, connection)
        script = ScriptDirectory.from_config(settings)
        _refuse_newer(connection, script)
        command.upgrade(settings, "head")
        return script.get_current_head() or ""


def _refuse_newer(connection: Connection, script: ScriptDirectory) -> None:
    known = {revision.revision for revision in script.walk_revisions()}
    heads = MigrationContext.configure(connection).get_current_heads()
    if unknown := [head for head in heads if head not in known]:
        raise DatabaseTooNew(
            f"the database is at revision {unknown[0]}, which this version of modelyard does not know: it was written "
            "by a newer one; install that version again, or restore a backup",
            revision=unknown[0],
        )
