"""How much of the proxy one caller, and all together, may use."""

from collections import defaultdict

from modelyard.foundation.rpc.limits import RateLimiter
from modelyard.proxy.errors import Overloaded
from modelyard.proxy.settings import PredictionLimits

_RETRY_S = 0.5


class Admission:
    """Counts predictions in flight: of everybody, of each caller at each deployment, and their bytes.

    The next one past a limit is refused, not queued.
    """

    def __init__(self, limits: PredictionLimits) -> None:
        self._limits = limits
        self._rates = RateLimiter(limits.rate_per_s, limits.burst) if limits.rate_per_s else None
        self._each: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._bytes = 0
        self.in_flight = 0

    def enter(self) -> None:
        """Before the body is read; `leave` undoes it."""
        if self.in_flight >= self._limits.max_in_flight:
            raise _full(f"{self.in_flight} predictions are being answered")
        self.in_flight += 1

    def leave(self) -> None:
        self.in_flight -= 1

    def hold(self, count: int) -> None:
        """`count` more bytes of a request are in memory; `release` undoes it."""
        if self._bytes + count > self._limits.max_buffered_bytes:
            raise _full("the requests being answered fill the memory there is for them")
        self._bytes += count

    def release(self, count: int) -> None:
        self._bytes -= count

    def enter_each(self, principal: str, deployment: str) -> tuple[str, str]:
        """Once it is known who asks for what; `leave_each` undoes it."""
        key = (principal, deployment)
        if self._rates is not None:
            self._rates.take("\n".join(key))
        if self._each[key] >= self._limits.max_in_flight_each:
            raise _full(f"{self._each[key]} of your predictions are being answered by this deployment")
        self._each[key] += 1
        return key

    def leave_each(self, key: tuple[str, str]) -> None:
        self._each[key] -= 1
        if not self._each[key]:
            del self._each[key]


def _full(what: str) -> Overloaded:
    return Overloaded(f"{what} already; try again in a moment", retry_after_s=_RETRY_S)
