"""ASGI's types, and what both protocols do with a request's body."""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

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
    try:
        async with asyncio.timeout(call.deadline - time.monotonic()):
            chunks: list[bytes] = []
            size = 0
            while True:
                event = await receive()
                if event["type"] == "http.disconnect":
                    raise ClientGone
                chunk: bytes = event.get("body", b"")
                take(chunk, size)
                chunks.append(chunk)
                size += len(chunk)
                if not event.get("more_body"):
                    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
    except TimeoutError:
        raise TooLate("the deadline passed before the request had arrived; allow more time or send less") from None


def peer(scope: Event) -> str:
    client = scope.get("client")
    return f"{client[0]}:{client[1]}" if client else ""
