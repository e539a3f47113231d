"""What happens at the edge of every call, as functions that know neither grpc.aio nor ASGI.

The bindings are `rpc.binding` (grpc.aio servers) and `foundation.asgi`.
"""

import logging
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import grpc

from modelyard.foundation.auth.identity import Identity
from modelyard.foundation.auth.tokens import TokenInvalid, Verifier
from modelyard.foundation.errors import DeadlineExceeded, Internal, ModelyardError
from modelyard.foundation.rpc.status import code_of
from modelyard.foundation.telemetry.metrics import RpcMetrics

log = logging.getLogger("modelyard.rpc")

UNARY_CAP_S = 60.0
"""The longest a call with one answer may take, whatever its client allows."""


class UnexpectedError(Internal):
    reason = "UNEXPECTED_ERROR"


def bearer_token(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    """The token in `authorization: Bearer …`, "" when there is none; two of them are refused."""
    values = [value for key, value in metadata if key == "authorization"]
    if not values:
        return ""
    if len(values) > 1:
        raise TokenInvalid("more than one authorization entry; send one")
    value = values[0].decode("latin-1") if isinstance(values[0], bytes) else values[0]
    scheme, _, token = value.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise TokenInvalid("the authorization entry must be `Bearer <token>`")
    return token.strip()


def identify(metadata: Iterable[tuple[str, str | bytes]], verifier: Verifier, *, required: bool) -> Identity | None:
    """The caller. Where a token is not required, a missing one is nobody; a bad one is refused everywhere."""
    token = bearer_token(metadata)
    if not token and not required:
        return None
    return verifier.verify(token)


def budget(remaining_s: float | None, cap_s: float | None) -> float | None:
    """Seconds this call may take, None without end; DeadlineExceeded when there are none left."""
    if remaining_s is not None and remaining_s <= 0:
        raise expired()
    if remaining_s is None or cap_s is None:
        return cap_s if remaining_s is None else remaining_s
    return min(remaining_s, cap_s)


def expired() -> DeadlineExceeded:
    return DeadlineExceeded("the deadline passed before the answer was ready; allow more time or ask for less")


def hide(error: Exception, method: str) -> UnexpectedError:
    """The answer for an exception nobody meant to show: an ID that the log has, and nothing of its text."""
    error_id = secrets.token_hex(8)
    log.error("unexpected error", extra={"error_id": error_id, "method": method}, exc_info=error)
    return UnexpectedError(f"something broke in here; the log has it under error {error_id}", error_id=error_id)


def shown(error: Exception, method: str) -> ModelyardError:
    """The error to answer with."""
    return error if isinstance(error, ModelyardError) else hide(error, method)


@dataclass(slots=True)
class Observation:
    """One call, from its begin to its end: counted, timed and logged once."""

    method: str
    metrics: RpcMetrics | None = None
    peer: str = ""
    quiet: bool = False
    """Successes are logged at debug level: for polls and health checks."""
    identity: Identity | None = None
    facts: Mapping[str, object] = field(default_factory=dict)
    _began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        if self.metrics:
            self.metrics.began(self.method)

    def end(self, code: grpc.StatusCode, error: ModelyardError | None = None) -> None:
        seconds = time.monotonic() - self._began
        if self.metrics:
            self.metrics.ended(self.method, code.name, seconds)
        level = logging.DEBUG if self.quiet and code is grpc.StatusCode.OK else logging.INFO
        if not log.isEnabledFor(level):
            return
        extra: dict[str, object] = {
            "method": self.method,
            "code": code.name,
            "ms": round(seconds * 1000, 2),
            "subject": self.identity.subject if self.identity else "",
            "peer": self.peer,
            **self.facts,
        }
        if error is not None:
            extra |= {"reason": error.reason, "message_sent": error.message}
        log.log(level, "rpc", extra=extra)

    def fail(self, error: ModelyardError) -> None:
        self.end(code_of(error), error)
