"""The port to model servers; two adapters are behind it."""

from collections.abc import Collection
from typing import Protocol

from modelyard.proxy.domain import Backend
from modelyard.proxy.payload import Payload
from modelyard.proxy.service import Outcome


class Upstream(Protocol):
    async def prepare(self, endpoints: Collection[str]) -> None:
        """Returns when all of them can be called. Those that are not among them any more go when nothing can be in
        flight to them."""

    async def unary(
        self, backend: Backend, method: str, payload: Payload, timeout_s: float, request_id: str
    ) -> Outcome:
        """One call; NotSent when the model server has seen nothing of it, TooLate when the time is over."""

    async def close(self) -> None: ...
