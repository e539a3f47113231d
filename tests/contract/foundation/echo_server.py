"""How the tests of this folder serve and call the echo service."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import grpc
import pytest

from modelyard.foundation.auth.policy import Rule, service_rules
from modelyard.foundation.auth.roles import READERS
from modelyard.foundation.rpc.status import failure_of
from tests.support.echo import METHODS, SERVICE, Echo, EchoClient
from tests.support.servers import Served

READ = Rule(READERS, "name")
RULES = service_rules(SERVICE, dict.fromkeys(METHODS, READ))
REQUEST = Echo(name="projects/p/things/t", text="hello")
Serve = Callable[..., AbstractAsyncContextManager[Served]]


async def refusal(
    served: Served, method: str, request: Any = REQUEST, *, token: str | None = None, **options: Any
) -> Any:
    async with served.channel(token) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await EchoClient(channel).call(method, request, **options)
    return failure_of(caught.value)
