"""Model servers, called through grpc.aio: for the front that runs beside Envoy."""

import asyncio
from collections.abc import Collection
from typing import Any

import grpc

from modelyard.foundation.addresses import is_local
from modelyard.foundation.rpc.channel import channel_options
from modelyard.foundation.rpc.status import DETAILS_KEY
from modelyard.proxy.domain import Backend
from modelyard.proxy.errors import TooLate
from modelyard.proxy.payload import Payload
from modelyard.proxy.service import NotSent, Outcome
from modelyard.proxy.settings import BackendSettings

_NEVER_CONNECTED = ("failed to connect to all addresses", "connections to all backends failing")


class GrpcUpstream:
    def __init__(self, settings: BackendSettings, max_message_bytes: int, retire_s: float) -> None:
        self._settings = settings
        self._options: list[tuple[str, Any]] = [
            *channel_options((), max_message_bytes),
            ("grpc.enable_retries", 0),
            ("grpc.use_local_subchannel_pool", 1),
        ]
        self._retire_s = retire_s
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._retiring: set[asyncio.Task[None]] = set()

    async def prepare(self, endpoints: Collection[str]) -> None:
        for endpoint in endpoints:
            if endpoint not in self._channels:
                self._channels[endpoint] = self._connect(endpoint)
        for endpoint in [known for known in self._channels if known not in endpoints]:
            task = asyncio.create_task(self._retire(self._channels.pop(endpoint)))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    async def unary(
        self, backend: Backend, method: str, payload: Payload, timeout_s: float, request_id: str
    ) -> Outcome:
        channel = self._channels.get(backend.endpoint)
        if channel is None:
            raise NotSent
        call: Any = channel.unary_unary(method)
        try:
            answer = await call(payload.message, timeout=timeout_s, metadata=(("x-request-id", request_id),))
        except grpc.aio.AioRpcError as error:
            return _failed(error)
        return Outcome(Payload(answer, framed=False))

    async def close(self) -> None:
        for task in self._retiring:
            task.cancel()
        for channel in self._channels.values():
            await channel.close()

    def _connect(self, endpoint: str) -> grpc.aio.Channel:
        if is_local(endpoint):
            return grpc.aio.insecure_channel(endpoint, self._options)
        files = (self._settings.tls_ca_file, self._settings.tls_key_file, self._settings.tls_cert_file)
        ca, key, cert = (path.read_bytes() if path else None for path in files)
        return grpc.aio.secure_channel(endpoint, grpc.ssl_channel_credentials(ca, key, cert), self._options)

    async def _retire(self, channel: grpc.aio.Channel) -> None:
        await channel.close(grace=self._retire_s)


def _failed(error: grpc.aio.AioRpcError) -> Outcome:
    text = error.details() or ""
    if error.code() is grpc.StatusCode.UNAVAILABLE and text.startswith(_NEVER_CONNECTED):
        raise NotSent from None
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        raise TooLate("the deadline passed before the answer was ready; allow more time or ask for less") from None
    details = next((value for key, value in error.trailing_metadata() or () if key == DETAILS_KEY), b"")
    number = int(error.code().value[0])
    return Outcome(Payload(b"", framed=False), number, text, details if isinstance(details, bytes) else b"")
