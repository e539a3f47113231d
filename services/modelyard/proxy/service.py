"""What happens to every prediction, whichever protocol it came by and wherever this runs.

    identity - deadline - body - role - limits - route - forward - observe

The bindings (`embedded`, `beside`, `rest`) turn their protocol into a `Call` and a `Forward`, and an `Outcome` or an
error back.
"""

import random
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import Protocol

from modelyard.foundation.auth.identity import Identity
from modelyard.foundation.auth.roles import may
from modelyard.foundation.errors import ModelyardError
from modelyard.proxy.access_log import AccessEvent, AccessLog
from modelyard.proxy.codes import NAME_OF_KIND
from modelyard.proxy.domain import (
    Backend,
    ModelSpec,
    Route,
    RouteTable,
    choose,
    deployment_of,
    find,
    one_of_each_version,
)
from modelyard.proxy.errors import BackendLost, NotAllowed, TooLate
from modelyard.proxy.limits import Admission
from modelyard.proxy.methods import Method
from modelyard.proxy.metrics import PredictionMetrics
from modelyard.proxy.payload import Payload
from modelyard.proxy.settings import PredictionLimits

OK = 0
_CANCELLED, _UNAVAILABLE = 1, 14
_WENT_AWAY = (_CANCELLED, _UNAVAILABLE)
_ATTEMPTS = 2
_KNOWN = 10_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a model server answered."""

    payload: Payload
    code: int = OK
    """gRPC's number."""
    message: str = ""
    details: bytes = b""
    """google.rpc.Status, serialised."""


class NotSent(Exception):
    """The model server could not be reached and has seen nothing of the request."""


class Refused(Exception):
    """A model server's own refusal, passed on."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.message)
        self.outcome = outcome


class ClientGone(Exception):
    """Whoever asked has hung up."""


Forward = Callable[[Backend, float], Awaitable[Outcome]]
"""Sends the request to a model server, which has this many seconds; NotSent when it never got there."""


class Verifies(Protocol):
    def verify(self, token: str) -> Identity: ...


@dataclass(slots=True)
class Call:
    """One prediction, from its head to its end."""

    method: Method
    request_id: str
    peer: str
    began: float
    """`time.monotonic()`."""
    deadline: float = 0.0
    identity: Identity | None = None
    route: Route | None = None
    backend: Backend | None = None
    held: int = 0
    """Bytes of its request in memory."""
    counted: tuple[str, str] | None = field(default=None, repr=False)
    bytes_out: int = 0


class Predictions:
    def __init__(
        self,
        verifier: Verifies,
        limits: PredictionLimits,
        metrics: Callable[[Callable[[], float]], PredictionMetrics],
        access_log: AccessLog,
    ) -> None:
        self._verifier = verifier
        self._limits = limits
        self._admission = Admission(limits)
        self._metrics = metrics(lambda: self._admission.in_flight)
        self._access_log = access_log
        self._table = RouteTable()
        self._known: dict[tuple[str, str, str, str], bool] = {}

    @property
    def table(self) -> RouteTable:
        return self._table

    @property
    def in_flight(self) -> int:
        return self._admission.in_flight

    @property
    def max_message_bytes(self) -> int:
        return self._limits.max_message_bytes

    def use(self, table: RouteTable) -> None:
        """From now on requests go where `table` says."""
        self._table = table
        self._metrics.table(table)

    def open(self, method: Method, token: str, timeout_s: float | None, request_id: str, peer: str) -> Call:
        """Who is it, and how long may it take: before a byte of the body is read. `close` ends what this begins."""
        began = time.monotonic()
        call = Call(method, request_id, peer, began)
        self._admission.enter()
        try:
            call.identity = self._verifier.verify(token)
            if timeout_s is not None and timeout_s <= self._limits.margin_s:
                raise _too_late()
            cap_s = self._limits.timeout_s
            call.deadline = began + (cap_s if timeout_s is None else min(cap_s, timeout_s - self._limits.margin_s))
        except ModelyardError as error:
            self.close(call, error)
            raise
        return call

    def hold(self, call: Call, count: int) -> None:
        """`count` more bytes of the request are in memory."""
        self._admission.hold(count)
        call.held += count

    def admit(self, call: Call, spec: ModelSpec) -> Route:
        """May this caller ask this deployment, now: the same answer for one that does not exist and one that is
        somebody else's."""
        route = self._table.routes.get(spec.name)
        deployment = route.deployment if route else deployment_of(spec.name)
        identity = call.identity
        if identity is None or not self._may(identity, call.method, deployment):
            raise _not_allowed(call.method, spec)
        route = find(self._table, spec)
        call.route = route
        call.counted = self._admission.enter_each(identity.subject, route.deployment)
        return route

    async def forward(self, call: Call, spec: ModelSpec, send: Forward) -> Outcome:
        """The answer of one model server.

        A second one is asked where the first has seen nothing of the request, and where it went away because the route
        table has dropped it: a prediction changes nothing, so a switch of versions need not fail it.
        """
        tried: list[str] = []
        while True:
            route = find(self._table, spec)
            call.backend = backend = choose(route, spec, random.random(), tried)
            tried.append(backend.endpoint)
            try:
                outcome = await send(backend, _remaining_s(call))
            except NotSent:
                if not self._again(route, spec, tried):
                    raise _lost(route) from None
            else:
                if outcome.code not in _WENT_AWAY or not self._left(backend) or not self._again(route, spec, tried):
                    return outcome
            self._metrics.retried(route.deployment)

    async def gather(self, call: Call, spec: ModelSpec, send: Forward) -> Outcome:
        """The answers of one model server of each version, merged: protobuf reads messages in a row as their union."""
        route = find(self._table, spec)
        answers: list[bytes] = []
        failed: Outcome | None = None
        for backend in one_of_each_version(route, spec, random.random()):
            call.backend = backend
            try:
                outcome = await send(backend, _remaining_s(call))
            except NotSent:
                continue
            if outcome.code == OK:
                answers.append(outcome.payload.message)
            else:
                failed = outcome
        if answers:
            return Outcome(Payload(b"".join(answers), framed=False))
        if failed is not None:
            return failed
        raise _lost(route)

    def close(self, call: Call, error: ModelyardError | None = None, *, code: str = "OK") -> None:
        """Counts, times and logs the call, once; `code` is the name of what was answered where there is no `error`."""
        self._admission.leave()
        if call.held:
            self._admission.release(call.held)
        if call.counted is not None:
            self._admission.leave_each(call.counted)
        seconds = time.monotonic() - call.began
        if error is not None:
            code = NAME_OF_KIND[error.kind]
        deployment = call.route.deployment if call.route else ""
        self._metrics.ended(deployment, call.method.name, code, seconds)
        self._access_log.write(
            AccessEvent(
                call.method.name,
                deployment,
                call.backend.version if call.backend else 0,
                code,
                seconds,
                call.identity.subject if call.identity else "",
                call.request_id,
                call.peer,
                call.held,
                call.bytes_out,
                error.reason if error is not None else "",
            )
        )

    def _may(self, identity: Identity, method: Method, deployment: str) -> bool:
        """What a token allows never changes, so it is worked out once."""
        key = (identity.issuer, identity.token_id, method.path, deployment)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _KNOWN:
                self._known.clear()
            known = self._known[key] = may(identity, method.roles, deployment)
        return known

    def _left(self, backend: Backend) -> bool:
        """Whether the route table has dropped this model server since it was chosen."""
        return backend.endpoint not in self._table.endpoints

    def _again(self, route: Route, spec: ModelSpec, tried: Collection[str]) -> bool:
        if len(tried) >= _ATTEMPTS:
            return False
        try:
            choose(find(self._table, spec), spec, 0.0, tried)
        except ModelyardError:
            return False
        return True


def _remaining_s(call: Call) -> float:
    remaining = call.deadline - time.monotonic()
    if remaining <= 0:
        raise _too_late()
    return remaining


def _too_late() -> TooLate:
    return TooLate("the deadline passed before the answer was ready; allow more time or ask for less")


def _lost(route: Route) -> BackendLost:
    return BackendLost(
        f"the model server of {route.serving_name} cannot be reached; try again in a moment", resource=route.deployment
    )


def _not_allowed(method: Method, spec: ModelSpec) -> NotAllowed:
    roles = ", ".join(sorted(method.roles))
    return NotAllowed(
        f"{method.name} on {spec.name!a} is not allowed (or it does not exist); it needs one of these roles: {roles}",
        roles=roles,
    )
