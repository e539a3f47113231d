"""The installation's health behind its one address: this process answers for its neighbours too."""

import logging
from collections.abc import Mapping, Sequence

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from modelyard.foundation.rpc.server import Server

log = logging.getLogger(__name__)

TIMEOUT_S = 2.0


class Neighbour:
    """Another process, and the services it stands for."""

    def __init__(self, name: str, channel: grpc.aio.Channel, services: Sequence[str]) -> None:
        self.name = name
        self.services = tuple(services)
        self._health = health_pb2_grpc.HealthStub(channel)

    async def serves(self) -> bool:
        try:
            answer = await self._health.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S)
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


class InstallationHealth:
    """ "" is the whole installation; a service's full name is the process that has it."""

    def __init__(self, server: Server, neighbours: Sequence[Neighbour]) -> None:
        self._server = server
        self._neighbours = neighbours
        self._last: Mapping[str, bool] = {}

    async def look(self) -> None:
        now = {neighbour.name: await neighbour.serves() for neighbour in self._neighbours}
        for neighbour in self._neighbours:
            if self._last.get(neighbour.name) == now[neighbour.name]:
                continue
            log.info("neighbour", extra={"neighbour": neighbour.name, "serving": now[neighbour.name]})
            for service in neighbour.services:
                await self._server.set_serving(now[neighbour.name], service)
        if self._last != now:
            await self._server.set_serving(all(now.values()))
        self._last = now
