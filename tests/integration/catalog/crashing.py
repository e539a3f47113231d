"""Program of the crash tests: repeats one step of a loop, and dies by SIGKILL before its 1st, 2nd, 3rd … call outside.

    python -m tests.integration.catalog.crashing commit|collect SQL_URL S3_JSON GRACE_S

Prints how often it died before the step came to its end. It forks, so that imports are paid once; nothing with threads
runs before a fork.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any, TypeVar

from pydantic import SecretStr

from modelyard.catalog.adapters.sql_catalog import SCHEMA, SqlCatalog
from modelyard.catalog.service.commits import Committer
from modelyard.catalog.service.files import TreeReader
from modelyard.catalog.service.garbage import Collector
from modelyard.foundation.clock import SystemClock
from modelyard.foundation.config import SqlSettings
from modelyard.foundation.objectstore.s3 import S3Settings, S3Store
from modelyard.foundation.sql.engine import Database

T = TypeVar("T")


class Countdown:
    def __init__(self, calls: int) -> None:
        self._left = calls

    def call(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class MortalStore:
    """The store, until the countdown ends."""

    def __init__(self, store: S3Store, countdown: Countdown) -> None:
        self._store = store
        self._countdown = countdown

    def __getattr__(self, name: str) -> Any:
        self._countdown.call()
        return getattr(self._store, name)

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        async for chunk in self._store.stream(key):
            self._countdown.call()
            yield chunk


class MortalCatalog:
    """The database, until the countdown ends."""

    def __init__(self, catalog: SqlCatalog, countdown: Countdown) -> None:
        self._catalog = catalog
        self._countdown = countdown

    async def run(self, work: Callable[[Any], T]) -> T:
        self._countdown.call()
        return await self._catalog.run(work)

    async def read(self, work: Callable[[Any], T]) -> T:
        self._countdown.call()
        return await self._catalog.read(work)


async def step(which: str, sql: SqlSettings, s3: S3Settings, grace: timedelta, countdown: Countdown) -> None:
    database, real = Database(sql, schema=SCHEMA), S3Store(s3)
    store: Any = MortalStore(real, countdown)
    catalog = MortalCatalog(SqlCatalog(database), countdown)
    clock = SystemClock()
    if which == "commit":
        await Committer(catalog, store, TreeReader(store), clock, keep_checkpoints=2).step()
    else:
        await Collector(catalog, store, clock, grace).step()
    database.close()
    real.close()


def main() -> None:
    which, url, s3, grace_s = sys.argv[1:]
    sql = SqlSettings(url=SecretStr(url))
    settings = S3Settings(**json.loads(s3))
    deaths = 0
    while True:
        child = os.fork()
        if child == 0:
            asyncio.run(step(which, sql, settings, timedelta(seconds=float(grace_s)), Countdown(deaths + 1)))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            print(deaths if os.WEXITSTATUS(status) == 0 else f"failed with {status}")
            return
        deaths += 1


if __name__ == "__main__":
    main()
