"""The ASGI front: gRPC (inside Envoy) and REST (there, and under uvicorn) on the server's methods."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import aclosing
from typing import Any

from modelyard.foundation.asgi import grpc_only_trailers, grpc_trailers, timeout_s
from modelyard.foundation.errors import ModelyardError
from modelyard.foundation.rpc.edge import budget, expired, shown
from modelyard.modelserver.errors import Draining, NotOffered
from modelyard.modelserver.fronts.framing import HEADER, frame, length, too_large, unframe
from modelyard.modelserver.server import MAX_MESSAGE_BYTES, ModelServer, Stream, Unary

log = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_GRPC_HEADERS = [(b"content-type", b"application/grpc")]
_START: Message = {"type": "http.response.start", "status": 200, "headers": _GRPC_HEADERS, "trailers": True}
_OK: Message = {"type": "http.response.trailers", "headers": [(b"grpc-status", b"0")], "more_trailers": False}


class App:
    def __init__(self, server: ModelServer) -> None:
        self._server = server
        self._unary = server.unary
        self._streams = server.streams

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        try:
            with self._server.calls:
                await self._answer(scope, receive, send)
        except Draining as error:
            await self._turn_away(error, scope, send)

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        path = scope["path"]
        unary = self._unary.get(path)
        if unary is not None:
            await self._answer_unary(unary, scope, receive, send)
        elif path in self._streams:
            await self._answer_stream(self._streams[path], scope, receive, send)
        elif _is_grpc(scope):
            await read_framed(receive, MAX_MESSAGE_BYTES)
            await _refuse(NotOffered(f"no method {path} here"), send)
        else:
            await _send_json(*await self._rest(scope, receive), send)

    async def _turn_away(self, error: Draining, scope: Message, send: Send) -> None:
        if _is_grpc(scope):
            await _refuse(error, send)
        else:
            await _send_json(*self._server.rest.refuse(error), send)

    async def _answer_unary(self, method: Unary, scope: Message, receive: Receive, send: Send) -> None:
        try:
            body, encoding, timeout = b"", b"", None
            for name, value in scope["headers"]:
                if name == b"grpc-encoding":
                    encoding = value
                elif name == b"grpc-timeout":
                    timeout = budget(timeout_s(scope["headers"]), None)
            body = unframe(await read_framed(receive, MAX_MESSAGE_BYTES), encoding, MAX_MESSAGE_BYTES)
            answer = await (method(body) if timeout is None else _within(timeout, method(body)))
        except Exception as error:  # noqa: BLE001 - the edge of a call
            await _refuse(shown(error, scope["path"]), send)
            return
        await send(_START)
        await send({"type": "http.response.body", "body": frame(answer), "more_body": False})
        await send(_OK)

    async def _answer_stream(self, method: Stream, scope: Message, receive: Receive, send: Send) -> None:
        started = False
        try:
            timeout = budget(timeout_s(scope["headers"]), None)
            body = unframe(await read_framed(receive, MAX_MESSAGE_BYTES), b"", MAX_MESSAGE_BYTES)
            async with asyncio.timeout(timeout), aclosing(method(body)) as answers:  # type: ignore[type-var]
                async for answer in answers:
                    if not started:
                        await send(_START)
                        started = True
                    await send({"type": "http.response.body", "body": frame(answer), "more_body": True})
        except TimeoutError:
            await _end(expired(), started, send)
        except Exception as error:  # noqa: BLE001 - the edge of a call
            await _end(shown(error, scope["path"]), started, send)
        else:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            await send(_OK)

    async def _rest(self, scope: Message, receive: Receive) -> tuple[int, bytes]:
        rest = self._server.rest
        try:
            body = await read(receive, MAX_MESSAGE_BYTES)
            return await _within(self._server.rest_timeout_s, rest.answer(scope["method"], scope["path"], body))
        except Exception as error:  # noqa: BLE001 - the edge of a call
            return rest.refuse(shown(error, scope["path"]))


async def read(receive: Receive, limit: int) -> bytes:
    """The whole request body. Raises RequestTooLarge as soon as it is longer than `limit`."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        chunks, size = [body], len(body)
        while message.get("more_body"):
            message = await receive()
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if size > limit:
                raise too_large(size, limit)
        body = b"".join(chunks)
    if len(body) > limit:
        raise too_large(len(body), limit)
    return body


async def read_framed(receive: Receive, limit: int) -> bytes:
    """A body that is one gRPC message of at most `limit` bytes; a longer one is refused when its length has arrived."""
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        chunks, size = [body], len(body)
        while message.get("more_body"):
            message = await receive()
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            if len(chunks[0]) < HEADER:
                chunks = [b"".join(chunks)]
            if len(chunks[0]) >= HEADER and length(chunks[0]) > limit:
                raise too_large(length(chunks[0]), limit)
            if size > limit + HEADER:
                raise too_large(size - HEADER, limit)
        body = b"".join(chunks)
    return body


async def _within(timeout: float | None, work: Awaitable[Any]) -> Any:
    try:
        async with asyncio.timeout(timeout) as scope:
            return await work
    except TimeoutError:
        if scope.expired():
            raise expired() from None
        raise


async def _refuse(error: ModelyardError, send: Send) -> None:
    """Trailers-only: the status is in the headers."""
    await send({"type": "http.response.start", "status": 200, "headers": grpc_only_trailers(error)})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _send_json(status: int, answer: bytes, send: Send) -> None:
    fields = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": answer, "more_body": False})


def _is_grpc(scope: Message) -> bool:
    return any(name == b"content-type" and value.startswith(b"application/grpc") for name, value in scope["headers"])


async def _end(error: ModelyardError, started: bool, send: Send) -> None:
    if not started:
        await _refuse(error, send)
        return
    await send({"type": "http.response.body", "body": b"", "more_body": False})
    await send({"type": "http.response.trailers", "headers": grpc_trailers(error), "more_trailers": False})
