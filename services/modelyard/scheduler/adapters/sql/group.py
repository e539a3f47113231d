"""Group commit: whatever waits while one transaction is made durable goes into the next one together."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection

from modelyard.foundation.errors import ModelyardError
from modelyard.foundation.sql.engine import Database

T = TypeVar("T")

MOST_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class _Waiting:
    work: Callable[[Connection], Any]
    done: "asyncio.Future[Any]"


class GroupCommit:
    """Each piece of work stands for itself: one that refuses (ModelyardError) undoes only what it did."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Returns when what `work` stored is durable. Cancelling the caller does not undo it."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(work, done))
        if self._task is None:
            self._task = asyncio.create_task(self._drain(), name="group commit")
        return await done

    async def _drain(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
                await self._commit(group)
        finally:
            self._task = None

    async def _commit(self, group: list[_Waiting]) -> None:
        try:
            outcomes = await self._database.run(lambda connection: [_attempt(connection, one.work) for one in group])
        except Exception as error:  # noqa: BLE001  # each caller gets it
            outcomes = [error] * len(group)
        for one, outcome in zip(group, outcomes, strict=True):
            if one.done.done():
                continue
            if isinstance(outcome, Exception):
                one.done.set_exception(outcome)
            else:
                one.done.set_result(outcome)


def _attempt(connection: Connection, work: Callable[[Connection], Any]) -> Any:
    try:
        with connection.begin_nested():
            return work(connection)
    except ModelyardError as refusal:
        return refusal
