"""The tokens of attempts, signed with the scheduler's own key."""

from collections import OrderedDict
from datetime import timedelta

from modelyard.foundation.auth.tokens import Signer
from modelyard.foundation.clock import Clock, SystemClock
from modelyard.foundation.ids import project_of
from modelyard.scheduler.service.ports import AttemptToken

ISSUER = "scheduler"
_KEPT = 4096


class SignedTokens:
    """A token is given out until a third of its life is over; then each answer carries a new one."""

    def __init__(self, signer: Signer, ttl_s: float, clock: Clock | None = None) -> None:
        self._signer = signer
        self._ttl = timedelta(seconds=ttl_s)
        self._clock = clock or SystemClock()
        self._tokens: OrderedDict[str, AttemptToken] = OrderedDict()

    def sign(self, attempt: str) -> AttemptToken:
        known = self._tokens.pop(attempt, None)
        if known is None or known.expire_time - self._clock.now() < self._ttl * 2 / 3:
            signed = self._signer.sign(attempt, {project_of(attempt): "attempt"}, self._ttl.total_seconds())
            known = AttemptToken(signed.token, signed.expire_time)
        self._tokens[attempt] = known
        if len(self._tokens) > _KEPT:
            self._tokens.popitem(last=False)
        return known
