"""Whatever happens in whatever order: what must never be seen, and what must be seen in the end."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from modelyard.inference.domain.deployments import State, retarget
from modelyard.inference.domain.hosts import HostState, Served, ServedState, state_of
from modelyard.inference.domain.reconcile import DRAIN, reconcile
from tests.support.installation import NAME, START, Installation, deployment, host, version

HOSTS = ("hosts/a", "hosts/b", "hosts/c")
BAD = 4
"""The version that never comes up."""

_NEXT = {
    ServedState.FETCHING: ServedState.LOADING,
    ServedState.LOADING: ServedState.SERVING,
    ServedState.SERVING: ServedState.SERVING,
    ServedState.FAILED: ServedState.FAILED,
}


class Fleet(RuleBasedStateMachine):
    @initialize(hosts=st.integers(1, 3))
    def start(self, hosts: int) -> None:
        self.there = Installation(*(host(name) for name in HOSTS[:hosts]), deployments=(deployment(),))
        self.silent: set[str] = set()
        self.routed_until: dict[tuple[str, str], object] = {}
        self.healthy_before: set[tuple[str, str]] = set()

    def _step(self, *, hosts_change: bool = False) -> None:
        """Settles, and compares with what was routed before."""
        before = self._alive_routes()
        self.there.settle()
        after = {(backend.endpoint, route.deployment) for route in self.there.plan.routes for backend in route.backends}
        if before and not hosts_change and self.there.world.deployments:
            assert after, "a healthy backend was dropped and nothing took its place"

    def _alive_routes(self) -> set[str]:
        """Endpoints that are routed and answer on a host that is heard of."""
        return {
            backend.endpoint
            for route in self.there.plan.routes
            for backend in route.backends
            for each in self.there.world.hosts
            for served in each.served
            if served.endpoint == backend.endpoint
            and served.state is ServedState.SERVING
            and state_of(each, self.there.now, START) is not HostState.LOST
        }

    @rule(number=st.integers(1, BAD))
    def update(self, number: int) -> None:
        changed = retarget(self.there.deployment, version(number))
        self.there.world = replace(self.there.world, deployments=(changed,))
        self._step()

    @rule(rounds=st.integers(1, 4))
    def hosts_work(self, rounds: int) -> None:
        for _ in range(rounds):
            for name in HOSTS:
                self.host_works(name)

    @rule(name=st.sampled_from(HOSTS))
    def host_works(self, name: str) -> None:
        """It starts what is new, stops what shall stop, and everything else comes one step further."""
        known = next((each for each in self.there.world.hosts if each.name == name), None)
        if known is None or name in self.silent:
            return
        orders = [each for each in self.there.world.assignments if each.host == name and not each.stopping]
        before = {(each.deployment, each.model_version): each for each in known.served}
        served = []
        for each in orders:
            seen = before.get((each.deployment, each.model_version))
            state = _NEXT[seen.state] if seen else ServedState.FETCHING
            if state is ServedState.SERVING and each.model_version.endswith(f"/{BAD}"):
                state = ServedState.FAILED
            served.append(
                Served(each.deployment, each.model_version, state, endpoint=f"unix:{name}/{each.model_version}")
            )
        self.there.change_host(name, served=tuple(served), heartbeat_time=self.there.now, lost=False)
        self._step()

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0, 9.0]))
    def time_passes(self, seconds: float) -> None:
        self.there.now += timedelta(seconds=seconds)
        for each in self.there.world.hosts:
            if each.name not in self.silent:
                self.there.change_host(each.name, heartbeat_time=self.there.now, lost=False)
        self._step()

    @rule(name=st.sampled_from(HOSTS))
    def host_falls_silent_or_is_heard_again(self, name: str) -> None:
        self.silent ^= {name}

    @rule(name=st.sampled_from(HOSTS))
    def host_starts_again(self, name: str) -> None:
        self.there.change_host(name, served=(), drained=False)
        self._step(hosts_change=True)

    @rule(name=st.sampled_from(HOSTS))
    def host_is_drained(self, name: str) -> None:
        self.there.change_host(name, drained=True)
        self._step()

    @rule(name=st.sampled_from(HOSTS))
    def model_server_dies(self, name: str) -> None:
        known = next((each for each in self.there.world.hosts if each.name == name), None)
        if known is None or not known.served:
            return
        first = replace(known.served[0], state=ServedState.LOADING, restart_count=known.served[0].restart_count + 1)
        self.there.change_host(name, served=(first, *known.served[1:]))
        self._step(hosts_change=True)

    @invariant()
    def what_is_routed_is_active_and_shares_add_up(self) -> None:
        if not hasattr(self, "there"):
            return
        active = {(each.host, each.model_version) for each in self.there.world.assignments if each.active}
        for route in self.there.plan.routes:
            assert sum(backend.weight for backend in route.backends) in (0, 100)
            assert bool(route.message) != bool(route.backends)
            for backend in route.backends:
                place = next(
                    (each.name, served.model_version)
                    for each in self.there.world.hosts
                    for served in each.served
                    if served.endpoint == backend.endpoint
                )
                assert place in active
                self.routed_until[place] = self.there.now

    @invariant()
    def nothing_stops_while_a_proxy_may_still_route_to_it(self) -> None:
        if not hasattr(self, "there"):
            return
        for each in self.there.world.assignments:
            last = self.routed_until.get((each.host, each.model_version))
            if each.stopping and last is not None:
                assert self.there.now - last >= DRAIN  # type: ignore[operator]

    @invariant()
    def work_is_bounded(self) -> None:
        if not hasattr(self, "there"):
            return
        active = [each for each in self.there.world.assignments if each.active]
        assert len(active) <= 2 * len(self.there.world.hosts)

    @invariant()
    def deciding_twice_changes_nothing(self) -> None:
        if not hasattr(self, "there"):
            return
        again = reconcile(self.there.settle().world, self.there.now, START)
        assert again.world.assignments == self.there.plan.world.assignments
        assert again.routes == self.there.plan.routes

    def teardown(self) -> None:
        """Once all hosts are well, the target serves, alone, or has failed beside what answered before."""
        if not hasattr(self, "there"):
            return
        self.silent.clear()
        for each in self.there.world.hosts:
            self.there.change_host(each.name, drained=False, lost=False, heartbeat_time=self.there.now)
        for _ in range(12):
            self.time_passes(3.0)
            for name in HOSTS:
                self.host_works(name)
        found = self.there.deployment
        if found.target == version(BAD):
            assert found.state is State.FAILED
            assert bool(found.serving_version) == bool(found.fallback)
        else:
            assert found.state is State.SERVING
            assert [each.model_version for each in self.there.world.assignments if each.deployment == NAME] == [
                found.target.name
            ]


Fleet.TestCase.settings = settings(stateful_step_count=40)
TestFleet = Fleet.TestCase
