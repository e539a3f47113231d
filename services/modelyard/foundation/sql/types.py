"""Column types that mean the same on SQLite and PostgreSQL."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Dialect, Integer
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine

from modelyard.foundation.clock import from_micros, to_micros


class UtcTime(TypeDecorator[datetime]):
    """An aware datetime, stored as microseconds since the epoch (SQLite has no time zones)."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else to_micros(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else from_micros(value)


def json_type() -> TypeEngine[Any]:
    return JSON().with_variant(JSONB(), "postgresql")


def row_id() -> TypeEngine[int]:
    """A big integer that counts up as a primary key on both (SQLite counts only INTEGER)."""
    return BigInteger().with_variant(Integer(), "sqlite")
