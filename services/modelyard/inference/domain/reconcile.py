"""One pure function: what there is, and what the hosts say, gives what has to be done.

    reconcile(world, now, heard_since) -> Plan

It is run whenever something changed and once a second; running it twice is harmless. The rules:

- A deployment wants its target; until the target answers it also wants what answered last.
- A new version is brought up beside the old one. Routes move when it answers; only then does the old one retire.
- What retires is taken from the routes at once, told to stop DRAIN later (proxies have noticed by then), and forgotten
  when its host no longer reports it.
- A version that a host could not bring up is tried once on each other host, then the deployment has failed; what
  answered before goes on answering.
- A lost or draining host keeps what it serves until another host serves it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from modelyard.inference.domain.deployments import Deployment, Hold, ModelVersion, State
from modelyard.inference.domain.hosts import (
    FORGET_AFTER,
    Assignment,
    Host,
    HostState,
    Served,
    ServedState,
    state_of,
)
from modelyard.inference.domain.routes import Route, route
from modelyard.inference.domain.standing import Standing, standing

DRAIN = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class World:
    """Everything that is durable."""

    deployments: tuple[Deployment, ...] = ()
    hosts: tuple[Host, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    holds: tuple[Hold, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The world as it shall be, and what follows from it."""

    world: World
    routes: tuple[Route, ...]
    host_states: Mapping[str, HostState]


def reconcile(world: World, now: datetime, heard_since: datetime) -> Plan:
    board = _Board(world, now, heard_since)
    deployments: list[Deployment] = []
    routes: list[Route] = []
    for deployment in sorted(world.deployments, key=lambda each: (each.create_time, each.name)):
        settled = board.settle(deployment)
        if settled is None:
            continue
        deployments.append(settled)
        if not settled.deleting:
            routes.append(route(settled, board.answering(settled), lost=board.last_resort(settled)))
    return Plan(
        World(
            tuple(sorted(deployments, key=lambda each: each.name)),
            board.remembered_hosts(),
            tuple(sorted(board.assignments.values(), key=lambda each: each.key)),
            tuple(sorted(board.holds.values(), key=lambda each: each.deployment)),
        ),
        tuple(sorted(routes, key=lambda each: each.serving_name)),
        board.states,
    )


class _Board:
    """The assignments while they are being rearranged."""

    def __init__(self, world: World, now: datetime, heard_since: datetime) -> None:
        self._now = now
        self.states = {host.name: state_of(host, now, heard_since) for host in world.hosts}
        self._hosts = {host.name: host for host in world.hosts}
        self._served = {
            (served.deployment, served.model_version, host.name): served
            for host in world.hosts
            for served in host.served
        }
        self.assignments = {each.key: each for each in world.assignments if each.host in self._hosts}
        self.holds = {hold.deployment: hold for hold in world.holds}
        names = {deployment.name for deployment in world.deployments}
        for orphan in [each for each in self.assignments.values() if each.deployment not in names]:
            self._retire(orphan)
        self._finish_stopped()
        for hold in world.holds:
            if hold.deployment not in names and not hold.closing:
                self.holds[hold.deployment] = replace(hold, closing=True, settled=False, error="")

    def settle(self, deployment: Deployment) -> Deployment | None:
        """The deployment after its assignments were put right; None when it is gone."""
        if deployment.deleting:
            return self._take_down(deployment)
        self._forget_failed_trials(deployment)
        self._hold(deployment)
        for version in _wanted(deployment):
            if self._serving(deployment, version, HostState.READY) is None:
                self._bring_up(deployment, version)
        self._retire_superseded(deployment)
        seen = self._standing(deployment)
        answering = seen.serving_version
        return replace(
            deployment,
            state=seen.state,
            message=seen.message,
            serving_version=answering,
            fallback=self._version(deployment, answering) if answering else deployment.fallback,
        )

    def answering(self, deployment: Deployment) -> list[Served]:
        """The model servers that answer, best first: the target before what answered last, ready hosts first."""
        for version in _wanted(deployment):
            for state in (HostState.READY, HostState.DRAINING):
                found = self._all_serving(deployment, version, state)
                if found:
                    return found
        return []

    def last_resort(self, deployment: Deployment) -> list[Served]:
        """Those on hosts that are lost to us: the proxy may still reach them."""
        for version in _wanted(deployment):
            found = self._all_serving(deployment, version, HostState.LOST)
            if found:
                return found
        return []

    def remembered_hosts(self) -> tuple[Host, ...]:
        busy = {each.host for each in self.assignments.values()}
        kept = []
        for name, host in sorted(self._hosts.items()):
            lost = self.states[name] is HostState.LOST
            if not lost or name in busy or self._now - host.heartbeat_time < FORGET_AFTER:
                kept.append(replace(host, lost=lost) if lost != host.lost else host)
        return tuple(kept)

    def _take_down(self, deployment: Deployment) -> Deployment | None:
        for each in self._of(deployment):
            self._retire(each)
        left = len(self._of(deployment))
        if left == 0:
            hold = self.holds.get(deployment.name)
            if hold is not None and not hold.closing:
                self.holds[deployment.name] = replace(hold, closing=True, settled=False, error="")
            return None
        message = "its model server is stopping" if left == 1 else f"its {left} model servers are stopping"
        return replace(deployment, state=State.DELETING, message=message, serving_version="")

    def _forget_failed_trials(self, deployment: Deployment) -> None:
        """Somebody asked for the same version again: what failed before no longer counts."""
        for each in self._of(deployment):
            served = self._served.get(each.key)
            if each.active and each.trial < deployment.trial and served and served.state is ServedState.FAILED:
                self._retire(each, at_once=True)

    def _hold(self, deployment: Deployment) -> None:
        """Keeps the catalog's execution at what this deployment needs."""
        inputs = [version.name for version in _wanted(deployment)]
        if self._serving(deployment, deployment.target, HostState.READY) is not None:
            inputs = [deployment.target.name]
        hold = self.holds.get(deployment.name)
        if hold is None or hold.closing:
            self.holds[deployment.name] = Hold(deployment.name, 0, tuple(inputs))
        elif hold.inputs != tuple(inputs):
            self.holds[deployment.name] = Hold(deployment.name, hold.attempt + 1, tuple(inputs), held=hold.held)

    def _bring_up(self, deployment: Deployment, version: ModelVersion) -> None:
        """Gives the version to a ready host, unless one is at it already."""
        mine = [each for each in self._of(deployment) if each.model_version == version.name]
        for each in mine:
            served = self._served.get(each.key)
            ready = self.states[each.host] is HostState.READY
            if each.active and ready and (served is None or served.state is not ServedState.FAILED):
                return
        for each in mine:
            if not each.active and not each.stopping and self.states[each.host] is HostState.READY:
                self.assignments[each.key] = replace(each, retire_time=None, trial=deployment.trial)
                return
        host = self._least_loaded(without={each.host for each in mine})
        if host is None or version.name not in self.holds[deployment.name].held:
            return
        fresh = Assignment(
            deployment=deployment.name,
            model_version=version.name,
            host=host,
            digest=version.digest,
            serving_name=deployment.serving_name,
            batching=version.batching,
            foreign=version.foreign,
            create_time=self._now,
            trial=deployment.trial,
        )
        self.assignments[fresh.key] = fresh

    def _retire_superseded(self, deployment: Deployment) -> None:
        """Everything that something better stands in for."""
        keep = self._serving(deployment, deployment.target, HostState.READY)
        serves_elsewhere = self._serving(deployment, deployment.target, HostState.DRAINING) is not None
        fallback = deployment.fallback.name if deployment.fallback else ""
        for each in self._of(deployment):
            if not each.active:
                continue
            is_target = each.model_version == deployment.target.name
            if keep is not None:
                superseded = each.key != keep.key
            elif is_target:
                superseded = False
            elif serves_elsewhere:
                superseded = True
            else:
                kept = self._serving_of(deployment, fallback, HostState.READY)
                superseded = each.model_version != fallback or (kept is not None and kept.key != each.key)
            if superseded:
                self._retire(each)

    def _standing(self, deployment: Deployment) -> Standing:
        target = [each for each in self._of(deployment) if each.model_version == deployment.target.name]
        answering = self.answering(deployment)
        ready = [name for name, state in self.states.items() if state is HostState.READY]
        return standing(
            deployment,
            answering[0].model_version if answering else "",
            hold=self.holds[deployment.name],
            tried=[(each, self.states[each.host], self._served.get(each.key)) for each in target],
            untried=[name for name in ready if all(name != each.host for each in target)],
            any_ready=bool(ready),
        )

    def _finish_stopped(self) -> None:
        """Moves what retires one step on, and forgets what is no longer there."""
        for key, each in list(self.assignments.items()):
            if each.retire_time is None:
                continue
            if self.states[each.host] is HostState.LOST or (each.stopping and key not in self._served):
                del self.assignments[key]
            elif self._now - each.retire_time >= DRAIN:
                self.assignments[key] = replace(each, stopping=True)

    def _retire(self, each: Assignment, *, at_once: bool = False) -> None:
        if self.states[each.host] is HostState.LOST:
            self.assignments.pop(each.key, None)
        elif each.active or at_once:
            self.assignments[each.key] = replace(each, retire_time=each.retire_time or self._now, stopping=at_once)

    def _of(self, deployment: Deployment) -> list[Assignment]:
        return [each for each in self.assignments.values() if each.deployment == deployment.name]

    def _all_serving(self, deployment: Deployment, version: ModelVersion, state: HostState) -> list[Served]:
        found = []
        for each in sorted(self._of(deployment), key=lambda each: (each.create_time, each.key)):
            served = self._served.get(each.key)
            if not each.active or each.model_version != version.name or self.states[each.host] is not state:
                continue
            if served is not None and served.state is ServedState.SERVING:
                found.append(served)
        return found

    def _serving(self, deployment: Deployment, version: ModelVersion, state: HostState) -> Assignment | None:
        return self._serving_of(deployment, version.name, state)

    def _serving_of(self, deployment: Deployment, version: str, state: HostState) -> Assignment | None:
        """The oldest active assignment of the version that answers on a host in `state`."""
        for each in sorted(self._of(deployment), key=lambda each: (each.create_time, each.key)):
            served = self._served.get(each.key)
            if not each.active or each.model_version != version or self.states[each.host] is not state:
                continue
            if served is not None and served.state is ServedState.SERVING:
                return each
        return None

    def _version(self, deployment: Deployment, name: str) -> ModelVersion:
        return next(version for version in _wanted(deployment) if version.name == name)

    def _least_loaded(self, without: set[str]) -> str | None:
        load = {name: 0 for name, state in self.states.items() if state is HostState.READY and name not in without}
        for each in self.assignments.values():
            if each.host in load:
                load[each.host] += 1
        return min(load, key=lambda name: (load[name], name), default=None)


def _wanted(deployment: Deployment) -> list[ModelVersion]:
    """The target, then what answered last."""
    fallback = deployment.fallback
    if fallback is None or fallback.name == deployment.target.name:
        return [deployment.target]
    return [deployment.target, fallback]
