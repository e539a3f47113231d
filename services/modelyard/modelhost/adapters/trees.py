"""Verified copies of model versions: the catalog's trees in a folder cache."""

import asyncio
import errno
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

from modelyard.foundation.errors import ModelyardError, ResourceExhausted
from modelyard.foundation.sync.cache import FolderCache
from modelyard.modelhost.domain import CannotServe, NotNow, Order
from modelyard.sdk import errors as sdk_errors
from modelyard.sdk.connection import Connection
from modelyard.sdk.download import fetch_files, signed_reads
from modelyard.tree import digest

P = ParamSpec("P")
T = TypeVar("T")

_PASSING = (
    sdk_errors.Unavailable,
    sdk_errors.DeadlineExceeded,
    sdk_errors.ResourceExhausted,
    sdk_errors.Unauthenticated,
    sdk_errors.Internal,
)
_MIB = 1 << 20


class Abandoned(Exception):
    """Nobody waits for the copy any more."""


class CachedTrees:
    """What is here needs neither the catalog nor its store."""

    def __init__(self, cache: FolderCache, connection: Connection) -> None:
        self._cache = cache
        self._connection = connection

    @asynccontextmanager
    async def tree(self, order: Order, progress: Callable[[str], None]) -> AsyncIterator[Path]:
        size = 0 if self._cache.has(order.digest) else await self._size(order)

        async def build(folder: Path) -> None:
            await self._fetch(order, folder, progress)

        pinned = self._cache.pinned(order.digest, size, build)
        try:
            folder = await pinned.__aenter__()
        except ResourceExhausted as error:
            raise CannotServe(error.message) from error
        try:
            yield folder
        finally:
            await pinned.__aexit__(None, None, None)

    async def _size(self, order: Order) -> int:
        reads = await _guarded(signed_reads, self._connection, order.model_version)
        if reads.digest != order.digest:
            raise CannotServe(f"{order.model_version} is {reads.digest} in the catalog, not {order.digest} as deployed")
        return sum(pack.size_bytes for pack in reads.packs)

    async def _fetch(self, order: Order, folder: Path, progress: Callable[[str], None]) -> None:
        abandoned = False

        def show(stage: str, done: int, total: int) -> None:
            if abandoned:
                raise Abandoned
            progress(f"{stage} {done // _MIB} of {total // _MIB} MiB")

        try:
            entries = await _guarded(fetch_files, self._connection, order.model_version, folder, progress=show)
        except asyncio.CancelledError:
            abandoned = True
            raise
        if digest(entries) != order.digest:
            raise CannotServe(f"what the store has for {order.model_version} is not {order.digest}")


async def _guarded(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """A blocking call of the client in a thread, with its failures in this host's words."""
    try:
        return await asyncio.to_thread(function, *args, **kwargs)
    except _PASSING as error:
        raise NotNow(f"the catalog or its store cannot be used: {error.message}") from error
    except sdk_errors.PermissionDenied as error:
        if error.reason == "URL_EXPIRED":
            raise NotNow(error.message) from error
        raise CannotServe(f"the version cannot be fetched: {error.message}") from error
    except sdk_errors.ModelyardError as error:
        raise CannotServe(f"the version cannot be fetched: {error.message}") from error
    except ModelyardError:
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise CannotServe("this host's disk is full; free some space or allow a smaller cache") from error
        raise CannotServe(f"the version cannot be stored here: {error.strerror}") from error
