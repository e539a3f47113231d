"""What all the scheduler's tables share: the database's clock, and inserting a row or changing it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Table, text
from sqlalchemy.dialects import postgresql, sqlite


def now(connection: Connection) -> datetime:
    """The database's clock; SQLite's is this machine's."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment.astimezone(UTC)


def put(
    connection: Connection, table: Table, key: Mapping[str, Any], values: Mapping[str, Any], **only_new: Any
) -> None:
    """Inserts the row, or changes the one with that key; `only_new` is for a new row alone."""
    dialect = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = dialect(table).values({**key, **values, **only_new})
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=dict(values)))
