"""Where a deployment stands, in a word and in a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass

from modelyard.inference.domain.deployments import Deployment, Hold, State, version_number
from modelyard.inference.domain.hosts import Assignment, HostState, Served, ServedState

Tried = tuple[Assignment, HostState, Served | None]
"""A model server of the target, its host's state, and what the host says of it."""


@dataclass(frozen=True, slots=True)
class Standing:
    state: State
    message: str
    serving_version: str


def standing(
    deployment: Deployment,
    answering: str,
    *,
    hold: Hold,
    tried: Sequence[Tried],
    untried: Sequence[str],
    any_ready: bool,
) -> Standing:
    """`answering` is the version that answers, "" if none does; `untried` are ready hosts that can still be asked."""
    target = deployment.target.name
    if answering == target:
        return Standing(State.SERVING, "", target)
    state, message = _coming_up(target, hold, tried, untried, any_ready)
    if not answering:
        return Standing(state, message, "")
    message = f"version {version_number(answering)} answers; version {version_number(target)}: {message}"
    return Standing(State.FAILED if state is State.FAILED else State.UPDATING, message, answering)


def _coming_up(
    model_version: str, hold: Hold, tried: Sequence[Tried], untried: Sequence[str], any_ready: bool
) -> tuple[State, str]:
    for assignment, host_state, served in tried:
        if assignment.active and host_state is not HostState.LOST and (served is None or _hopeful(served)):
            return _one(assignment, served)
    failed = [served for each, _, served in tried if each.active and served and served.state is ServedState.FAILED]
    if failed and not untried:
        return State.FAILED, failed[-1].message or f"{failed[-1].model_version} could not be brought up"
    held = model_version in hold.held
    if hold.error and not held:
        return State.FAILED, hold.error
    if not any_ready:
        lost = [each.host for each, host_state, _ in tried if host_state is HostState.LOST]
        if lost:
            return State.PENDING, f"{lost[0]} was not heard of for a while and no other host is ready"
        return State.PENDING, "no model host is ready; start one with `modelyard host run`"
    if not held:
        return State.PENDING, "waits for the catalog to hold the version"
    return State.PENDING, "waits for a host to give up its last try"


def _hopeful(served: Served) -> bool:
    return served.state in (ServedState.FETCHING, ServedState.LOADING)


def _one(assignment: Assignment, served: Served | None) -> tuple[State, str]:
    if served is None:
        return State.PENDING, f"{assignment.host} was asked to serve it"
    if served.state is ServedState.FETCHING:
        return State.FETCHING, served.message or f"{assignment.host} fetches and verifies it"
    return State.LOADING, served.message or f"{assignment.host} loads it"
