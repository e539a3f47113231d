"""Tokens and revocations in SQL."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, or_, select, update

from modelyard.catalog.adapters.schema import counters, revocations, tokens
from modelyard.catalog.domain.tokens import Token

_SEQUENCE = "revocations"


class SqlTokens:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, token: str) -> Token | None:
        row = self._connection.execute(_tokens().where(tokens.c.id == token)).one_or_none()
        if row is not None:
            return _token(row)
        gone = self._connection.execute(select(revocations).where(revocations.c.token_id == token)).one_or_none()
        return Token(token, "", {}, None, None, gone.revoke_time) if gone else None

    def page(self, before: tuple[datetime, str] | None, limit: int) -> list[Token]:
        query = _tokens().order_by(tokens.c.create_time.desc(), tokens.c.id.desc()).limit(limit)
        if before is not None:
            time, token = before
            query = query.where(
                or_(tokens.c.create_time < time, and_(tokens.c.create_time == time, tokens.c.id < token))
            )
        return [_token(row) for row in self._connection.execute(query)]

    def insert(self, token: Token) -> None:
        values = {
            "id": token.id,
            "subject": token.subject,
            "projects": dict(token.projects),
            "create_time": token.create_time,
            "expire_time": token.expire_time,
        }
        self._connection.execute(insert(tokens).values(values))

    def revoke(self, token: Token) -> None:
        # The counter's row is locked until the commit, so that sequences become visible in their order.
        counted = (
            update(counters)
            .where(counters.c.name == _SEQUENCE)
            .values(value=counters.c.value + 1)
            .returning(counters.c.value)
        )
        values = {
            "token_id": token.id,
            "sequence": self._connection.execute(counted).scalar_one(),
            "revoke_time": token.revoke_time,
            "expire_time": token.expire_time,
        }
        self._connection.execute(insert(revocations).values(values))

    def revoked_since(self, cursor: int, now: datetime, limit: int) -> tuple[list[Token], int]:
        query = select(revocations).where(revocations.c.sequence > cursor).order_by(revocations.c.sequence).limit(limit)
        rows = list(self._connection.execute(query))
        live = [row for row in rows if row.expire_time is None or row.expire_time > now]
        found = [Token(row.token_id, "", {}, None, row.expire_time, row.revoke_time) for row in live]
        return found, rows[-1].sequence if rows else cursor


def _tokens() -> Any:
    return select(tokens, revocations.c.revoke_time).outerjoin(revocations, revocations.c.token_id == tokens.c.id)


def _token(row: Row[Any]) -> Token:
    return Token(row.id, row.subject, row.projects, row.create_time, row.expire_time, row.revoke_time)
