"""grpc.health.v1 over bytes: NOT_SERVING until every model answers, and again as soon as the server drains."""

import asyncio
from collections.abc import AsyncIterator

from grpc_health.v1 import health_pb2

from modelyard.foundation.errors import NotFound
from modelyard.modelserver.predict import parse

SERVICES = frozenset({"", "tensorflow.serving.PredictionService", "tensorflow.serving.ModelService"})
REPEAT_S = 30.0
"""A watch repeats itself this often: a front that learns of a client's end only by writing to it then learns of it."""


class UnknownService(NotFound):
    reason = "HEALTH_SERVICE_UNKNOWN"


class Health:
    def __init__(self, repeat_s: float = REPEAT_S) -> None:
        self._repeat_s = repeat_s
        self._serving = False
        self._closed = False
        self._changed = asyncio.Event()

    @property
    def serving(self) -> bool:
        return self._serving

    def set(self, serving: bool) -> None:
        if serving != self._serving and not self._closed:
            self._serving = serving
            self._wake()

    def close(self) -> None:
        """NOT_SERVING from now on, and the end of every watch."""
        self._serving, self._closed = False, True
        self._wake()

    async def check(self, body: bytes) -> bytes:
        service = parse(health_pb2.HealthCheckRequest, body).service
        if service not in SERVICES:
            raise UnknownService(f"no service {service} here", field="service")
        return self._answer(service)

    async def watch(self, body: bytes) -> AsyncIterator[bytes]:
        service = parse(health_pb2.HealthCheckRequest, body).service
        while True:
            changed, last = self._changed, self._closed
            yield self._answer(service)
            if last:
                return
            try:
                await asyncio.wait_for(changed.wait(), self._repeat_s)
            except TimeoutError:
                continue

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _answer(self, service: str) -> bytes:
        status = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        if service in SERVICES:
            status = (
                health_pb2.HealthCheckResponse.SERVING if self._serving else health_pb2.HealthCheckResponse.NOT_SERVING
            )
        return health_pb2.HealthCheckResponse(status=status).SerializeToString()
