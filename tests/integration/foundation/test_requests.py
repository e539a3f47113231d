"""request_id: a request that comes twice is done once, on SQLite and on PostgreSQL."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import (
    Connection,
)

from modelyard.foundation.errors import InvalidArgument
from modelyard.foundation.sql.engine import Database
from modelyard.foundation.sql.requests import RequestIdReused, RequestKey, forget, once
from tests.integration.foundation.things import REQUESTS, add, count

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def key(request_id: str = "r1", caller: str = "tokens/t", method: str = "/a.B/CreateThing") -> RequestKey:
    return RequestKey(request_id, caller, method)


class Create:
    """A use case that creates one thing and answers with its ID."""

    def __init__(self) -> None:
        self.done = 0

    def __call__(self, connection: Connection, which: RequestKey, body: bytes) -> bytes:
        def work() -> bytes:
            self.done += 1
            return str(add(connection, f"thing-{self.done}")).encode()

        return once(connection, REQUESTS, which, body, work, NOW)


async def test_the_same_request_twice_is_done_once(database: Database) -> None:
    create = Create()
    first = await database.run(lambda c: create(c, key(), b"body"))
    assert await database.run(lambda c: create(c, key(), b"body")) == first
    assert await database.read(count) == 1


async def test_the_same_id_with_another_body_is_refused(database: Database) -> None:
    create = Create()
    await database.run(lambda c: create(c, key(), b"body"))
    with pytest.raises(RequestIdReused) as caught:
        await database.run(lambda c: create(c, key(), b"other"))
    assert caught.value.field == "request_id"
    assert await database.read(count) == 1


@pytest.mark.parametrize("other", [key("r2"), key(caller="tokens/u"), key(method="/a.B/CreateOther"), key("")])
async def test_another_request_is_done_for_itself(database: Database, other: RequestKey) -> None:
    create = Create()
    await database.run(lambda c: create(c, key(), b"body"))
    await database.run(lambda c: create(c, other, b"body"))
    assert await database.read(count) == 2


async def test_without_an_id_each_request_counts(database: Database) -> None:
    create = Create()
    for _ in range(2):
        await database.run(lambda c: create(c, key(""), b"body"))
    assert await database.read(count) == 2


async def test_a_request_that_failed_can_be_sent_again(database: Database) -> None:
    def fail(connection: Connection) -> bytes:
        def work() -> bytes:
            raise RuntimeError("stop")

        return once(connection, REQUESTS, key(), b"body", work, NOW)

    with pytest.raises(RuntimeError):
        await database.run(fail)
    create = Create()
    await database.run(lambda c: create(c, key(), b"body"))
    assert create.done == 1


async def test_twenty_at_once_are_done_once(database: Database) -> None:
    create = Create()
    answers = await asyncio.gather(*[database.run(lambda c: create(c, key(), b"body")) for _ in range(20)])
    assert len(set(answers)) == 1
    assert await database.read(count) == 1


@pytest.mark.parametrize("request_id", ["a b", "ü", "x" * 65, "a/b", "a\n"])
async def test_an_id_of_another_form_is_refused(database: Database, request_id: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await database.run(lambda c: Create()(c, key(request_id), b"body"))
    assert caught.value.field == "request_id"


async def test_old_requests_are_forgotten(database: Database) -> None:
    create = Create()
    await database.run(lambda c: create(c, key(), b"body"))
    assert await database.run(lambda c: forget(c, REQUESTS, NOW)) == 0
    assert await database.run(lambda c: forget(c, REQUESTS, NOW + timedelta(seconds=1))) == 1
    await database.run(lambda c: create(c, key(), b"other"))
    assert create.done == 2
