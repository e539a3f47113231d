"""Model servers, called through the Envoy that this process is: HTTP/2 by its own connection pools.

Only importable inside Envoy. A model server is a cluster in a file that Envoy follows; it is callable as soon as Envoy
says that it has read that version of the file.
"""

import asyncio
import base64
import binascii
import logging
import time
from collections.abc import Collection
from pathlib import Path
from urllib.parse import unquote

from pyqwest import Headers, ReadError, Request, Response
from pyvoy.asgi.httpclient import HTTPTransport

from modelyard.proxy.domain import Backend
from modelyard.proxy.envoy.admin import stat
from modelyard.proxy.envoy.clusters import backend, backend_name, write_clusters
from modelyard.proxy.errors import AnswerTooLarge, TooLate
from modelyard.proxy.payload import HEADER_BYTES, Payload
from modelyard.proxy.service import OK, ClientGone, NotSent, Outcome
from modelyard.proxy.settings import BackendSettings

log = logging.getLogger(__name__)

_HEADERS = (("content-type", "application/grpc"), ("te", "trailers"))
_LOADED_S = 10.0
_LOOK_S = 0.005
_CLUSTER_TRIES = 20
_NOTHING = Payload(b"", framed=False)
_UNAVAILABLE, _UNKNOWN = "14", 2

# What the pinned Envoy and pyvoy say; tests/integration/proxy holds them to it.
_NO_CLUSTER = "invalid upstream config"
_CLIENT_GONE = "server request completed before client response"
_TIMED_OUT = "upstream request timeout"
_NEVER_SENT = ("no healthy upstream",)
_RESET = "upstream connect error or disconnect/reset before headers"
_RESET_BEFORE_SENT = ("connection failure", "connection timeout", "refused stream reset", "overflow")


class EnvoyUpstream:
    def __init__(
        self, settings: BackendSettings, cluster_file: Path, admin: Path, max_message_bytes: int, retire_s: float
    ) -> None:
        self._settings = settings
        self._file = cluster_file
        self._admin = admin
        self._limit = max_message_bytes
        self._retire_s = retire_s
        self._version = 0
        self._clusters: dict[str, str] = {}
        """Endpoint -> name of its cluster, as written to the file."""
        self._gone: dict[str, float] = {}
        """Endpoint -> since when no table has it."""
        self._retirer: asyncio.Task[None] | None = None
        self._publishing = asyncio.Lock()

    async def prepare(self, endpoints: Collection[str]) -> None:
        now = time.monotonic()
        for endpoint in endpoints:
            self._gone.pop(endpoint, None)
        for endpoint in self._clusters:
            if endpoint not in endpoints:
                self._gone.setdefault(endpoint, now)
        if not self._clusters.keys() >= set(endpoints):
            self._clusters |= {endpoint: backend_name(endpoint) for endpoint in endpoints}
            await self._publish()
        if self._gone and (self._retirer is None or self._retirer.done()):
            self._retirer = asyncio.create_task(self._retire())

    async def unary(
        self, backend: Backend, method: str, payload: Payload, timeout_s: float, request_id: str
    ) -> Outcome:
        name = self._clusters.get(backend.endpoint)
        if name is None:
            raise NotSent
        timeout = f"{max(1, int(timeout_s * 1000))}m"
        headers = Headers((*_HEADERS, ("grpc-timeout", timeout), ("x-request-id", request_id)))
        if payload.encoding:
            headers["grpc-encoding"] = payload.encoding
        request = Request("POST", "http://model-server" + method, headers, payload.frame)
        for _ in range(_CLUSTER_TRIES):
            try:
                response = await HTTPTransport(name, timeout=timeout_s).execute(request)
                return await self._read(response)
            except ConnectionError:
                return _lost("connection")
            except ReadError as error:
                text = str(error)
                if text == _CLIENT_GONE:
                    raise ClientGone from None
                if text != _NO_CLUSTER:
                    return _lost(text)
            # Envoy's main thread has the cluster and this worker does not yet.
            await asyncio.sleep(_LOOK_S)
        raise NotSent

    async def close(self) -> None:
        if self._retirer is not None:
            self._retirer.cancel()

    async def _read(self, response: Response) -> Outcome:
        chunks: list[bytes] = []
        size = 0
        async for chunk in response.content:
            chunks.append(bytes(chunk))
            size += len(chunk)
            if size > self._limit + HEADER_BYTES:
                raise AnswerTooLarge(f"the answer is longer than {self._limit} bytes; ask for less at once")
        trailers = response.trailers
        status: str | None = trailers.get("grpc-status")
        if status == "0" and chunks:
            return Outcome(Payload(chunks[0] if len(chunks) == 1 else b"".join(chunks), framed=True))
        if status is None:
            trailers = response.headers
            status = trailers.get("grpc-status")
        return _failed(status, trailers)

    async def _publish(self) -> None:
        """Writes the clusters and returns when Envoy has them."""
        async with self._publishing:
            self._version += 1
            version = str(self._version)
            write_clusters(self._file, version, [backend(endpoint, self._settings) for endpoint in self._clusters])
            end = time.monotonic() + _LOADED_S
            while await stat(self._admin, "cluster_manager.cds.version_text") != version:
                if time.monotonic() > end:
                    log.error("Envoy has not taken the model servers' clusters", extra={"version": version})
                    return
                await asyncio.sleep(_LOOK_S)

    async def _retire(self) -> None:
        """Drops the clusters that no table has had for so long that nothing can be in flight to them."""
        while self._gone:
            await asyncio.sleep(max(0.05, min(self._gone.values()) + self._retire_s - time.monotonic()))
            now = time.monotonic()
            over = [endpoint for endpoint, since in self._gone.items() if now - since >= self._retire_s]
            for endpoint in over:
                del self._gone[endpoint]
                del self._clusters[endpoint]
            if over:
                await self._publish()


def _failed(status: str | None, trailers: Headers) -> Outcome:
    """An answer that is not OK: the model server's, or Envoy's because it could not get one."""
    message = unquote(trailers.get("grpc-message") or "")
    if status == _UNAVAILABLE:
        if message == _TIMED_OUT:
            raise TooLate("the deadline passed before the answer was ready; allow more time or ask for less")
        if message.startswith(_NEVER_SENT):
            raise NotSent
        if message.startswith(_RESET):
            if message.rpartition("reset reason: ")[2].endswith(_RESET_BEFORE_SENT):
                raise NotSent
            return _lost(message)
    if status is None or not status.isdigit():
        return _lost("no status")
    number = int(status)
    return Outcome(_NOTHING, _UNKNOWN if number == OK else number, message, _details(trailers))


def _lost(why: str) -> Outcome:
    log.info("model server lost", extra={"why": why})
    return Outcome(_NOTHING, int(_UNAVAILABLE), "the model server went away before it answered; try again in a moment")


def _details(trailers: Headers) -> bytes:
    value = trailers.get("grpc-status-details-bin") or ""
    try:
        return base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
    except binascii.Error:
        return b""
