"""Metrics in Prometheus's form.

modelyard_rpcs_total{method, code}            calls that ended
modelyard_rpc_seconds{method}                 how long they took
modelyard_rpcs_in_flight{method}
"""

import asyncio
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from modelyard.foundation.addresses import UnixAddress, is_local, parse_listen

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_MAX_REQUEST = 8192


class RpcMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._ended = Counter("modelyard_rpcs", "Calls that ended.", ["method", "code"], registry=registry)
        self._seconds = Histogram(
            "modelyard_rpc_seconds",
            "Time from the request to the answer.",
            ["method"],
            registry=registry,
            buckets=_BUCKETS,
        )
        self._in_flight = Gauge("modelyard_rpcs_in_flight", "Calls being served.", ["method"], registry=registry)

    def began(self, method: str) -> None:
        self._in_flight.labels(method).inc()

    def ended(self, method: str, code: str, seconds: float) -> None:
        self._in_flight.labels(method).dec()
        self._ended.labels(method, code).inc()
        self._seconds.labels(method).observe(seconds)


class Exposition:
    """A small HTTP server for `GET /metrics`, on loopback or a unix socket only."""

    def __init__(self, registry: CollectorRegistry, listen: str) -> None:
        if not is_local(listen):
            raise ValueError(f"metrics are served on loopback or a unix socket only; got {listen}")
        self._registry = registry
        self._address = parse_listen(listen)
        self._server: asyncio.Server | None = None

    async def start(self) -> str:
        """Returns the address, with the port it got."""
        if isinstance(self._address, UnixAddress):
            await asyncio.to_thread(Path(self._address.path).unlink, missing_ok=True)
            self._server = await asyncio.start_unix_server(self._serve, self._address.path, limit=_MAX_REQUEST)
            return str(self._address)
        self._server = await asyncio.start_server(
            self._serve, self._address.host, self._address.port, limit=_MAX_REQUEST
        )
        return f"{self._address.host}:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(5):
                request = await reader.readuntil(b"\r\n\r\n")
            writer.write(self._answer(request))
            await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, ConnectionError):
            return
        finally:
            writer.close()

    def _answer(self, request: bytes) -> bytes:
        if not request.startswith((b"GET /metrics ", b"GET / ")):
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        body = generate_latest(self._registry)
        head = (
            "HTTP/1.1 200 OK",
            f"Content-Type: {CONTENT_TYPE_LATEST}",
            f"Content-Length: {len(body)}",
            "Connection: close",
        )
        return "\r\n".join([*head, "", ""]).encode() + body
