"""A supervised loop that makes the world look as it should, again and again."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)


class Loop:
    """Runs `step` every `period_s` seconds, at once after `nudge()`, and later and later while it fails.

    `step` is level-triggered: it looks at what is and does what is missing, so running it once too often is
    harmless. When it returns True there is more to do and it runs again without waiting. Exceptions in `expected`
    are the weather (an unreachable neighbour) and logged as one line; any other one is logged with its traceback.
    Neither ends the loop.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], Awaitable[bool | None]],
        *,
        period_s: float,
        max_backoff_s: float = 30.0,
        jitter: float = 0.1,
        expected: tuple[type[Exception], ...] = (),
    ) -> None:
        self._name = name
        self._step = step
        self._period_s = period_s
        self._max_backoff_s = max(max_backoff_s, period_s)
        self._jitter = jitter
        self._expected = expected
        self._nudged = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failures = 0
        self.last_success: float | None = None
        """`time.monotonic()` of the end of the last step that did not fail."""

    @property
    def failures(self) -> int:
        """How many steps in a row have failed."""
        return self._failures

    def start(self) -> asyncio.Task[None]:
        if self._task is not None:
            raise RuntimeError(f"loop {self._name} is running already")
        self._task = asyncio.create_task(self._run(), name=self._name)
        return self._task

    def nudge(self) -> None:
        """Something changed: run the next step now. Nudges during a step add up to one step after it."""
        self._nudged.set()

    async def stop(self) -> None:
        """Ends the loop; a running step is cancelled."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def __aenter__(self) -> "Loop":
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _run(self) -> None:
        while True:
            self._nudged.clear()
            if not await self._step_once():
                await self._wait()

    async def _step_once(self) -> bool:
        """One step; True when the next one must not wait."""
        try:
            more = await self._step()
        except self._expected as error:
            self._failures += 1
            log.warning("loop step failed", extra={"loop": self._name, "error": str(error), "failures": self._failures})
        except Exception:
            self._failures += 1
            log.exception("loop step failed", extra={"loop": self._name, "failures": self._failures})
        else:
            self._failures = 0
            self.last_success = time.monotonic()
            return bool(more)
        return False

    async def _wait(self) -> None:
        # Not wait_for: on Python 3.11 it loses a cancellation that comes just after the nudge.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._delay_s()):
                await self._nudged.wait()

    def _delay_s(self) -> float:
        delay = self._period_s
        if self._failures:
            delay = min(max(delay, 0.1) * 2 ** min(self._failures - 1, 16), self._max_backoff_s)
        return delay * random.uniform(1 - self._jitter, 1 + self._jitter)
