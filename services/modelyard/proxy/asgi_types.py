"""ASGI's types, and what both protocols do with a request's body."""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from modelyard.foundation import asgi
from modelyard.proxy.embedding import PEER_HEADER
from modelyard.proxy.errors import TooLate
from modelyard.proxy.service import Call, ClientGone

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
Take = Callable[[bytes, int], None]


async def read_body(call: Call, receive: Receive, take: Take) -> bytes:
    """The whole body, within the call's deadline.

    `take(chunk, before)` sees each chunk and how many bytes came before it, and raises when that is too much.
    """
    late = _Late()
    # asyncio.timeout, for a third of what it costs.
    timer = asyncio.get_running_loop().call_later(call.deadline - time.monotonic(), late, asyncio.current_task())
    try:
        event = await receive()
        chunk: bytes = event.get("body", b"")
        if not event.get("more_body"):
            _still_there(event)
            take(chunk, 0)
            return chunk
        chunks: list[bytes] = []
        size = 0
        while True:
            take(chunk, size)
            chunks.append(chunk)
            size += len(chunk)
            if not event.get("more_body"):
                return b"".join(chunks)
            event = await receive()
            _still_there(event)
            chunk = event.get("body", b"")
    except asyncio.CancelledError:
        if not late.fired:
            raise
        raise TooLate("the deadline passed before the request had arrived; allow more time or send less") from None
    finally:
        timer.cancel()


class _Late:
    """Ends a task that waits for a request which does not come."""

    __slots__ = ("fired",)

    def __init__(self) -> None:
        self.fired = False

    def __call__(self, task: asyncio.Task[object] | None) -> None:
        if task is not None:
            self.fired = True
            task.cancel()


def _still_there(event: Event) -> None:
    if event["type"] == "http.disconnect":
        raise ClientGone


def peer(scope: Event) -> str:
    client = scope.get("client")
    if client:
        return f"{client[0]}:{client[1]}"
    # On a unix socket: Envoy has called, and says for whom.
    return (asgi.header(scope["headers"], PEER_HEADER.encode()) or b"").decode("latin-1")
