"""How the tests of this folder serve and call the echo service."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import grpc
import pytest

from modelyard.foundation.auth.credentials import authorization
from modelyard.foundation.auth.policy import Rule, service_rules
from modelyard.foundation.auth.roles import READERS
from modelyard.foundation.rpc.status import failure_of
from tests.support.echo import METHODS, SERVICE, Echo, EchoClient, encode
from tests.support.servers import Served

READ = Rule(READERS, "name")
RULES = service_rules(SERVICE, dict.fromkeys(METHODS, READ))
REQUEST = Echo(name="projects/p/things/t", text="hello")
Serve = Callable[..., AbstractAsyncContextManager[Served]]


async def refusal(
    served: Served, method: str, request: Any = REQUEST, *, token: str | None = None, **options: Any
) -> Any:
    call = _chat if METHODS[method] == (True, True) else _call
    with pytest.raises(grpc.RpcError) as caught:
        await call(served, method, request, token, **options)
    failure: Any = caught.value
    return failure_of(failure)


async def _call(served: Served, method: str, request: Any, token: str | None, **options: Any) -> None:
    async with served.channel(token) as channel:
        await EchoClient(channel).call(method, request, **options)


async def _chat(served: Served, method: str, request: Any, token: str | None, **options: Any) -> None:
    """By the client without asyncio: grpc.aio's says INTERNAL where its write meets the end of a call that the server
    has refused (github.com/grpc/grpc/issues/36066)."""
    token = served.issuers.token() if token is None else token
    options["metadata"] = (authorization(token),) if token else ()
    with grpc.insecure_channel(served.address) as channel:
        rpc = channel.stream_stream(f"/{SERVICE}/{method}", encode, Echo.FromString)
        await asyncio.to_thread(lambda: list(rpc(iter([request]), **options)))
