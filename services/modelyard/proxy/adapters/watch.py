"""The route table, as `inference` sends it."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable

import grpc

from modelyard.api.inference.v1 import route_service_pb2 as pb
from modelyard.api.inference.v1 import route_service_pb2_grpc as rpc
from modelyard.foundation.addresses import parse_listen
from modelyard.proxy.domain import Backend, Route, RouteTable, table_of

log = logging.getLogger(__name__)

_FIRST_RETRY_S, _LAST_RETRY_S = 0.1, 2.0


class RouteWatch:
    """Follows WatchRoutes and hands every table to `apply`, the newest only when they come faster than it takes.

    While inference cannot be reached the last table stays: what is deployed goes on answering.
    """

    def __init__(self, channel: grpc.aio.Channel, apply: Callable[[RouteTable], Awaitable[None]]) -> None:
        self._stub = rpc.RouteServiceStub(channel)
        self._apply = apply
        self._newest: RouteTable | None = None
        self._arrived = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._hand_over())]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _follow(self) -> None:
        failures = 0
        while True:
            try:
                async for table in self._stub.WatchRoutes(pb.WatchRoutesRequest()):
                    failures = 0
                    self._newest = from_proto(table)
                    self._arrived.set()
                log.info("the watch of routes ended; watching again")
            except grpc.aio.AioRpcError as error:
                level = logging.WARNING if failures == 0 else logging.DEBUG
                log.log(level, "routes cannot be watched; the last table stays", extra={"error": error.details()})
            failures += 1
            await asyncio.sleep(min(_LAST_RETRY_S, _FIRST_RETRY_S * 2 ** min(failures, 8)) * random.uniform(0.8, 1.2))

    async def _hand_over(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            table, self._newest = self._newest, None
            if table is None:
                continue
            try:
                await self._apply(table)
            except Exception:
                # A table that cannot be used must not end the watch: the next one may be usable.
                log.exception("route table not applied", extra={"revision": table.revision})
            else:
                log.info("routes", extra={"revision": table.revision, "deployments": len(table.routes)})


def from_proto(table: pb.RouteTable) -> RouteTable:
    return table_of(
        (
            Route(
                serving_name=route.serving_name,
                deployment=route.deployment,
                backends=tuple(Backend(b.version, b.endpoint, b.weight) for b in route.backends if _callable(b)),
                message=route.message,
            )
            for route in table.routes
        ),
        table.revision,
    )


def _callable(backend: pb.Backend) -> bool:
    """One address that means nothing must not cost all others their routes."""
    try:
        parse_listen(backend.endpoint)
    except ValueError as error:
        log.error("a model server's address is left out", extra={"endpoint": backend.endpoint, "error": str(error)})
        return False
    return True
