"""`step(state, event) -> (state, decisions)`: the whole of scheduling. Pure: tests and replay call it too."""

from modelyard.scheduler.domain import lifecycle, presence
from modelyard.scheduler.domain.decisions import Decision
from modelyard.scheduler.domain.errors import job_not_found, stale
from modelyard.scheduler.domain.events import (
    AttemptCompleted,
    AttemptMoved,
    CheckpointStored,
    Event,
    JobCancelled,
    JobSubmitted,
    Ticked,
    WorkerAway,
    WorkerCordoned,
    WorkerDrained,
    WorkerHeard,
    WorkerSynced,
    WorkerUncordoned,
)
from modelyard.scheduler.domain.placement import has_room, survey
from modelyard.scheduler.domain.state import State
from modelyard.scheduler.domain.turn import Turn


def step(state: State, event: Event) -> tuple[State, tuple[Decision, ...]]:
    """The state after `event`, and what is to be stored. An event that is refused raises and changes nothing."""
    turn = Turn(state, event)
    _apply(turn, event)
    _assign(turn)
    return turn.result()


def _apply(turn: Turn, event: Event) -> None:
    match event:
        case JobSubmitted():
            turn.submit(event.job)
        case JobCancelled():
            job = turn.jobs.get(event.job)
            if job is None:
                raise job_not_found(event.job)
            lifecycle.cancel(turn, job)
        case WorkerSynced():
            presence.synced(turn, event)
        case WorkerHeard():
            presence.heard(turn, event)
        case WorkerAway():
            presence.away(turn, event)
        case WorkerCordoned():
            presence.cordon(turn, event.worker, True)
        case WorkerUncordoned():
            presence.cordon(turn, event.worker, False)
        case WorkerDrained():
            presence.drain(turn, event.worker)
        case AttemptMoved():
            attempt = turn.find_attempt(event.attempt)
            if attempt is None:
                raise stale(event.attempt)
            lifecycle.moved(turn, attempt, event.state)
        case CheckpointStored():
            attempt = turn.find_attempt(event.attempt)
            if attempt is None:
                raise stale(event.attempt)
            lifecycle.got_further(turn, attempt, event.step)
        case AttemptCompleted():
            attempt = turn.find_attempt(event.attempt)
            if attempt is None:
                raise stale(event.attempt)
            lifecycle.completed(turn, attempt, event)
        case Ticked():
            presence.lose_silent(turn, event.heard)
            lifecycle.end_overdue(turn)
        case _:
            raise TypeError(f"no event: {event!r}")


def _assign(turn: Turn) -> None:
    state = turn.state()
    if not has_room(state):
        return
    for placement in survey(state, turn.now).placements:
        job = turn.jobs[placement.job]
        lifecycle.assign(turn, job, turn.workers[placement.worker], placement.devices)
