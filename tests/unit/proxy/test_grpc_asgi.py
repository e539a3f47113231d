"""Compressed gRPC on its way through the front inside Envoy, without a network."""

import gzip
import tracemalloc
from collections.abc import Collection
from typing import Any

from modelyard.proxy.asgi_types import Event
from modelyard.proxy.domain import Backend, table_of
from modelyard.proxy.grpc_asgi import GrpcOverAsgi
from modelyard.proxy.methods import PREDICT
from modelyard.proxy.payload import Payload
from modelyard.proxy.service import Outcome
from tests.contract.proxy.stack import predict_request
from tests.unit.proxy.test_service import ONE, Way, served

MIB = 1 << 20


class ModelServers:
    """Remember how much memory there was in use while they were asked."""

    def __init__(self) -> None:
        self.used: list[int] = []

    async def prepare(self, endpoints: Collection[str]) -> None: ...

    async def close(self) -> None: ...

    async def unary(self, backend: Backend, method: str, payload: Payload, timeout_s: float, request_id: str) -> Any:
        self.used.append(tracemalloc.get_traced_memory()[0])
        return Outcome(Payload(b"", framed=False))


async def asked(way: Way, servers: ModelServers, size: int) -> str:
    """Its grpc-status, of a request that takes a thousandth of what it inflates to."""
    data = gzip.compress(predict_request() + b"\x7a" + varint(size) + bytes(size))
    body = b"\1" + len(data).to_bytes(4, "big") + data
    headers = {
        "content-type": "application/grpc",
        "grpc-encoding": "gzip",
        "authorization": f"Bearer {way.issuers.token('predictor', 'default')}",
    }
    sent: list[Event] = []

    async def receive() -> Event:
        return {"type": "http.request", "body": body}

    async def send(event: Event) -> None:
        sent.append(event)

    scope = {
        "path": PREDICT.path,
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
    }
    await GrpcOverAsgi(way.predictions, servers)(scope, receive, send)
    headers_sent = [header for event in sent for header in event.get("headers", ())]
    return str(dict(headers_sent)[b"grpc-status"], "ascii")


def varint(number: int) -> bytes:
    return bytes([number & 0x7F | 0x80, number >> 7 & 0x7F | 0x80, number >> 14 & 0x7F | 0x80, number >> 21])


async def test_what_a_message_inflates_to_is_gone_while_the_model_server_works() -> None:
    way, servers = Way(), ModelServers()
    way.predictions.use(table_of([served(ONE)], 1))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        assert await asked(way, servers, 8 * MIB) == "0"
    finally:
        tracemalloc.stop()
    assert max(servers.used) - before < 2 * MIB
