"""`request_id`: the same request sent twice is done once and answered twice (AIP-155).

answer = once(connection, requests, RequestKey(request_id, caller, method), body, lambda: create(…), clock.now())
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, ColumnElement, Connection, LargeBinary, MetaData, String, Table, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from modelyard.foundation.errors import InvalidArgument
from modelyard.foundation.sql.types import UtcTime

_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


class RequestIdReused(InvalidArgument):
    reason = "REQUEST_ID_REUSED"


@dataclass(frozen=True, slots=True)
class RequestKey:
    request_id: str
    caller: str
    """Subject of the caller: two callers never share an answer."""
    method: str


def requests_columns() -> list[Column[object]]:
    """The table's columns, for the migration that creates it: `op.create_table("requests", *requests_columns())`."""
    return [
        Column("request_id", String(64), primary_key=True),
        Column("caller", String(512), primary_key=True),
        Column("method", String(128), primary_key=True),
        Column("body_hash", String(64), nullable=False),
        Column("answer", LargeBinary, nullable=False),
        Column("create_time", UtcTime, nullable=False, index=True),
    ]


def requests_table(metadata: MetaData) -> Table:
    return Table("requests", metadata, *requests_columns())


def once(
    connection: Connection, table: Table, key: RequestKey, body: bytes, work: Callable[[], bytes], now: datetime
) -> bytes:
    """The stored answer when this request was done before, otherwise `work()`, stored in this transaction.

    `body` is the request in a canonical form; the same ID with another body is refused. Without an ID, `work()` is
    simply done. A second transaction with the same key waits for the first one.
    """
    if not key.request_id:
        return work()
    if not _REQUEST_ID.fullmatch(key.request_id):
        raise InvalidArgument("request_id must be 1 to 64 letters, digits, - or _; a UUID is best", field="request_id")
    body_hash = hashlib.sha256(body).hexdigest()
    if not _claim(connection, table, key, body_hash, now):
        return _stored(connection, table, key, body_hash)
    answer = work()
    connection.execute(update(table).where(*_is(table, key)).values(answer=answer))
    return answer


def forget(connection: Connection, table: Table, before: datetime) -> int:
    """Deletes what is older than `before`; returns how many."""
    return connection.execute(delete(table).where(table.c.create_time < before)).rowcount


def _claim(connection: Connection, table: Table, key: RequestKey, body_hash: str, now: datetime) -> bool:
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    row = {
        "request_id": key.request_id,
        "caller": key.caller,
        "method": key.method,
        "body_hash": body_hash,
        "answer": b"",
        "create_time": now,
    }
    claim = insert(table).values(row).on_conflict_do_nothing().returning(table.c.request_id)
    return connection.execute(claim).first() is not None


def _stored(connection: Connection, table: Table, key: RequestKey, body_hash: str) -> bytes:
    row = connection.execute(select(table.c.body_hash, table.c.answer).where(*_is(table, key))).one()
    if row.body_hash != body_hash:
        raise RequestIdReused(
            "this request_id was used with another request before; choose a new one", field="request_id"
        )
    return bytes(row.answer)


def _is(table: Table, key: RequestKey) -> tuple[ColumnElement[bool], ...]:
    return (table.c.request_id == key.request_id, table.c.caller == key.caller, table.c.method == key.method)
