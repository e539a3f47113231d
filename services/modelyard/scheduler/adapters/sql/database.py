"""What all the scheduler's tables share: the database's clock, and writing many rows with one statement."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Table, bindparam, insert, text, update
from sqlalchemy.dialects import postgresql, sqlite

Row = Mapping[str, Any]


def now(connection: Connection) -> datetime:
    """The database's clock; SQLite's is this machine's."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment.astimezone(UTC)


def add(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    if rows:
        connection.execute(insert(table), rows)


def put(connection: Connection, table: Table, key: Sequence[str], rows: Sequence[Row], **only_new: Any) -> None:
    """Inserts rows, or changes those with the same key; `only_new` is for new ones alone. All have the same columns."""
    if not rows:
        return
    dialect = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = dialect(table)
    changed = {name: statement.excluded[name] for name in rows[0] if name not in key}
    statement = statement.on_conflict_do_update(index_elements=list(key), set_=changed)
    connection.execute(statement, [{**row, **only_new} for row in rows])


def change(connection: Connection, table: Table, key: str, rows: Sequence[Row], **computed: Any) -> None:
    """Changes rows by their key; `computed` are expressions. All rows have the same columns."""
    if not rows:
        return
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in rows[0] if name != key}
    statement = update(table).where(table.c[key] == bindparam("old_key")).values(values | computed)
    connection.execute(
        statement,
        [{"old_key": row[key], **{f"new_{name}": value for name, value in row.items() if name != key}} for row in rows],
    )
