"""Hosts and routes: what the hosts say goes in, what they and the proxies shall do comes out."""

import hashlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from modelyard.foundation.auth.identity import Identity
from modelyard.foundation.clock import Clock
from modelyard.inference.domain.hosts import Assignment, Heartbeat, Host, HostState, beat, state_of
from modelyard.inference.domain.reconcile import reconcile
from modelyard.inference.service.bulletin import Bulletin, Snapshot, within
from modelyard.inference.service.ports import Audit, Records

MAX_WAIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Orders:
    """The answer to a host."""

    assignments: tuple[Assignment, ...]
    cursor: str


class Fleet:
    def __init__(self, records: Records, bulletin: Bulletin, clock: Clock, heard_since: datetime) -> None:
        """`heard_since`: when this process began to listen."""
        self._records = records
        self._bulletin = bulletin
        self._clock = clock
        self._heard_since = heard_since
        self.nudge: Callable[[], object] = lambda: None
        """Asks for `settle` to be run soon."""
        self.nudge_holds: Callable[[], object] = lambda: None

    async def settle(self) -> None:
        """Decides what has to be done, stores it, and tells everybody who waits."""
        settled = await self._records.settle(lambda world: reconcile(world, self._clock.now(), self._heard_since))
        world = settled.plan.world
        if any(not hold.settled and not hold.error for hold in world.holds):
            self.nudge_holds()
        by_host: dict[str, tuple[Assignment, ...]] = {}
        for assignment in world.assignments:
            by_host[assignment.host] = (*by_host.get(assignment.host, ()), assignment)
        self._bulletin.post(
            Snapshot(
                deployments={each.name: each for each in world.deployments},
                hosts={each.name: each for each in world.hosts},
                host_states=settled.plan.host_states,
                assignments=by_host,
                routes=settled.plan.routes,
                revision=settled.revision,
            )
        )

    async def sync(self, heartbeat: Heartbeat, cursor: str, max_wait_s: float) -> Orders:
        """Waits up to `max_wait_s` while the host already knows the newest orders."""
        now = self._clock.now()
        before, after = await self._records.beat(heartbeat.host, lambda known: beat(known, heartbeat, now))
        if before is None or _substance(before) != _substance(after):
            self.nudge()
        deadline = self._clock.monotonic() + max(0.0, min(max_wait_s, MAX_WAIT_S))
        while True:
            news = self._bulletin.news
            orders = self._orders(heartbeat.host)
            left = deadline - self._clock.monotonic()
            if orders.cursor != cursor or left <= 0 or self._bulletin.closed:
                return orders
            await within(left, news)

    async def watch_routes(self) -> AsyncIterator[Snapshot]:
        """The newest snapshot, and again whenever its routes have changed."""
        sent = -1
        while True:
            news, newest = self._bulletin.news, self._bulletin.newest
            if newest.revision != sent:
                sent = newest.revision
                yield newest
            await news.wait()

    def hosts(self, after: str, limit: int) -> list[tuple[Host, HostState]]:
        newest = self._bulletin.newest
        names = sorted(name for name in newest.hosts if name > after)[:limit]
        return [(newest.hosts[name], newest.host_states[name]) for name in names]

    async def drain(self, name: str, by: Identity) -> tuple[Host, HostState]:
        audit = Audit(self._clock.now(), by.subject, by.token_id, "DrainHost", name)
        host = await self._records.change_host(name, lambda known: replace(known, drained=True), audit)
        self.nudge()
        return host, state_of(host, self._clock.now(), self._heard_since)

    def _orders(self, host: str) -> Orders:
        assignments = self._bulletin.newest.assignments.get(host, ())
        text = json.dumps([_order(each) for each in assignments])
        return Orders(assignments, hashlib.sha256(text.encode()).hexdigest()[:32])


def _order(assignment: Assignment) -> list[object]:
    """What the host is told of an assignment."""
    return [
        assignment.deployment,
        assignment.model_version,
        assignment.digest,
        assignment.serving_name,
        assignment.batching,
        assignment.foreign,
        assignment.stopping,
    ]


def _substance(host: Host) -> dict[str, object]:
    """What decisions rest on: not the time, not the memory in use."""
    facts = asdict(replace(host, served=tuple(replace(each, memory_bytes=0) for each in host.served)))
    del facts["heartbeat_time"]
    return facts
