"""The calls in flight, and the end of them."""

import asyncio
from types import TracebackType

from modelyard.modelserver.errors import Draining


class Calls:
    """`with calls:` around each call that is answered once."""

    def __init__(self) -> None:
        self._in_flight = 0
        self._draining = False
        self._none_left = asyncio.Event()

    def __enter__(self) -> None:
        """Raises Draining once `drain` was called: nothing new begins."""
        if self._draining:
            raise Draining("this model server is stopping; call again to reach another one")
        self._in_flight += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._in_flight -= 1
        if self._draining and not self._in_flight:
            self._none_left.set()

    async def drain(self) -> None:
        """Returns when the last call in flight has ended."""
        self._draining = True
        if self._in_flight:
            await self._none_left.wait()
