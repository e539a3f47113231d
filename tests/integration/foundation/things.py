"""Tables for the tests of the database."""

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
    select,
)

from modelyard.foundation.sql.requests import requests_table
from modelyard.foundation.sql.types import UtcTime, json_type, row_id

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


def add(connection: Connection, name: str, **values: object) -> int:
    key = connection.execute(insert(THINGS).values(name=name, **values).returning(THINGS.c.id)).scalar_one()
    return int(key)


def count(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(THINGS)).scalar_one())
