"""How much at once, and how often."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from modelyard.foundation.errors import ResourceExhausted


class TooManyCalls(ResourceExhausted):
    reason = "TOO_MANY_CALLS"


class RateLimited(ResourceExhausted):
    reason = "RATE_LIMITED"


class InFlight:
    """At most `limit` at once; the next one is refused, not queued."""

    def __init__(self, limit: int, *, retry_after_s: float = 0.5) -> None:
        self._limit = limit
        self._retry_after_s = retry_after_s
        self._count = 0

    @property
    def count(self) -> int:
        return self._count

    @contextmanager
    def slot(self) -> Iterator[None]:
        if self._count >= self._limit:
            raise TooManyCalls(
                f"{self._limit} calls are being served already; try again in a moment",
                retry_after_s=self._retry_after_s,
                limit=str(self._limit),
            )
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1


class RateLimiter:
    """A token bucket per key: `rate` a second in the long run, `burst` at once; remembers `keys` of them."""

    def __init__(
        self, rate: float, burst: int, *, keys: int = 10_000, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._burst = burst
        self._keys = keys
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, cost: float = 1.0) -> None:
        """Returns when the call is within the rate, RateLimited (with the time to wait) otherwise."""
        now = self._monotonic()
        level, at = self._buckets.pop(key, (float(self._burst), now))
        level = min(self._burst, level + (now - at) * self._rate)
        allowed = level >= cost
        self._buckets[key] = (level - cost if allowed else level, now)
        if len(self._buckets) > self._keys:
            self._buckets.popitem(last=False)
        if not allowed:
            raise RateLimited(
                f"more than {self._rate:g} calls a second; slow down",
                retry_after_s=round((cost - level) / self._rate, 3),
                rate=f"{self._rate:g}",
                burst=str(self._burst),
            )
