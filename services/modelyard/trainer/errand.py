"""A blocking call in a thread of its own, that can be given up."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from modelyard.sdk.progress import Progress

P = ParamSpec("P")
T = TypeVar("T")

LAST_S = 10.0
"""How long a call that was given up may take to end. The thread is a daemon: no call keeps the process alive."""


class GivenUp(Exception):
    """Raised inside the call, where it reports progress."""


class Errand:
    """One call. Cancelling who waits for it makes it end at its next report of progress.

    With `counts`, a call that was given up too late and has done its work answers all the same: its waiter is not
    cancelled then.
    """

    def __init__(self, *, counts: bool = False) -> None:
        self._counts = counts
        self._given_up = threading.Event()

    def watched(self, progress: Progress, *, last: str = "") -> Progress:
        """`progress`, raising GivenUp once the call is given up; in stage `last` it is too late for that."""

        def show(stage: str, done: int, total: int) -> None:
            if stage != last and self._given_up.is_set():
                raise GivenUp
            progress(stage, done, total)

        return show

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the call answers or raises."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def tell(answer: Callable[[], None]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(answer)

        def work() -> None:
            try:
                result = function(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - it is raised where the call is awaited
                failure = error
                tell(lambda: done.set_exception(failure))
            else:
                tell(lambda: done.set_result(result))

        threading.Thread(target=work, name=getattr(function, "__name__", "call"), daemon=True).start()
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            self._given_up.set()
            await asyncio.wait((done,), timeout=LAST_S)
            if self._counts and done.done() and done.exception() is None:
                return done.result()
            done.add_done_callback(lambda late: late.exception())
            raise
