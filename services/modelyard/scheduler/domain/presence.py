"""What happens to workers, and to what runs on them."""

from dataclasses import replace

from modelyard.scheduler.domain import lifecycle
from modelyard.scheduler.domain.errors import WorkerReplaced, worker_not_found
from modelyard.scheduler.domain.events import WorkerAway, WorkerHeard, WorkerSynced
from modelyard.scheduler.domain.jobs import Attempt, AttemptState
from modelyard.scheduler.domain.turn import Turn
from modelyard.scheduler.domain.workers import Worker, older


def synced(turn: Turn, event: WorkerSynced) -> None:
    """A worker said all that it sees. Its leases are renewed, and what it does not run any more is dealt with."""
    before = turn.workers.get(event.worker)
    worker = _seen(turn, event, before)
    turn.put_worker(worker)
    _free_held(turn, event)
    listed = dict(event.attempts)
    for attempt in _attempts_on(turn, event.worker):
        if attempt.name in listed:
            _still_there(turn, attempt, event.instance, listed[attempt.name])
        elif before is not None and attempt.instance != event.instance:
            acknowledged = attempt.state is not AttemptState.ASSIGNED
            lifecycle.lose(turn, attempt, "its worker was started again", held=False, at_once=not acknowledged)
        elif attempt.state is AttemptState.ASSIGNED and (attempt.stop is not None or not worker.takes_jobs):
            _never_started(turn, attempt)
        elif attempt.state is not AttemptState.ASSIGNED:
            # It has stopped by its own clock, when it thought that the lease was over.
            lifecycle.lose(turn, attempt, "its worker has stopped it", held=False)


def heard(turn: Turn, event: WorkerHeard) -> None:
    worker = _current(turn, event.worker, event.instance)
    if worker is not None and not worker.lost:
        turn.put_worker(replace(worker, lease_end=turn.now + turn.rules.lease, heartbeat_time=turn.now))


def away(turn: Turn, event: WorkerAway) -> None:
    worker = turn.workers.get(event.worker)
    if worker is not None and worker.instance == event.instance:
        turn.put_worker(replace(worker, present=False), durable=False)


def cordon(turn: Turn, name: str, cordoned: bool) -> None:
    worker = turn.workers.get(name)
    if worker is None:
        raise worker_not_found(name)
    turn.put_worker(replace(worker, cordoned=cordoned, drained=worker.drained and cordoned))


def drain(turn: Turn, name: str) -> None:
    worker = turn.workers.get(name)
    if worker is None:
        raise worker_not_found(name)
    turn.put_worker(replace(worker, drained=True))
    for attempt in _attempts_on(turn, name):
        lifecycle.preempt(turn, attempt)


def lose_silent(turn: Turn, heard: frozenset[str]) -> None:
    """Workers whose lease has ended, with all that ran there. Their devices stay taken until they say otherwise."""
    for worker in list(turn.workers.values()):
        if worker.lost and turn.now >= worker.heartbeat_time + turn.rules.forget_after:
            _forget(turn, worker)
        if worker.lost or turn.now < worker.lease_end or worker.name in heard:
            continue
        turn.put_worker(replace(worker, lost=True, present=False))
        for attempt in _attempts_on(turn, worker.name):
            lifecycle.lose(turn, attempt, f"{worker.name} was not heard of for a lease's time", held=True)


def _forget(turn: Turn, worker: Worker) -> None:
    for attempt in list(turn.held.values()):
        if attempt.worker == worker.name:
            turn.put_attempt(replace(attempt, held=False))
    turn.forget_worker(worker)


def _seen(turn: Turn, event: WorkerSynced, before: Worker | None) -> Worker:
    if before is None:
        before = Worker(event.worker, event.instance, turn.now, turn.now, turn.now)
    elif event.instance in before.replaced:
        raise _replaced(event.worker)
    elif event.instance != before.instance:
        before = replace(
            before, instance=event.instance, replaced=older(before.replaced, before.instance), drained=False
        )
    return replace(
        before,
        heartbeat_time=turn.now,
        lease_end=turn.now + turn.rules.lease,
        devices=event.devices,
        hostname=event.hostname,
        version=event.version,
        tensorflow_version=event.tensorflow_version,
        leaving=event.leaving,
        lost=False,
        present=True,
    )


def _free_held(turn: Turn, event: WorkerSynced) -> None:
    listed = dict(event.attempts)
    for attempt in list(turn.held.values()):
        if attempt.worker == event.worker and attempt.name not in listed:
            turn.put_attempt(replace(attempt, held=False))


def _still_there(turn: Turn, attempt: Attempt, instance: str, state: AttemptState) -> None:
    if attempt.instance != instance:
        attempt = replace(attempt, instance=instance)
        turn.put_attempt(attempt)
        turn.put_job(replace(turn.jobs[attempt.job], attempt=attempt))
    lifecycle.moved(turn, attempt, max(state, AttemptState.PREPARING, key=_RANK.index))


_RANK = [AttemptState.ASSIGNED, AttemptState.PREPARING, AttemptState.RUNNING]


def _never_started(turn: Turn, attempt: Attempt) -> None:
    """Its worker was to stop it, or takes nothing new, and does not have it: there is nothing to stop."""
    job = turn.jobs[attempt.job]
    turn.put_attempt(replace(attempt, state=AttemptState.STOPPED, end_time=turn.now))
    if not lifecycle.stop_decides(turn, job, attempt):
        lifecycle.requeue(turn, job)


def _current(turn: Turn, name: str, instance: str) -> Worker | None:
    worker = turn.workers.get(name)
    if worker is not None and worker.instance != instance:
        raise _replaced(name)
    return worker


def _replaced(name: str) -> WorkerReplaced:
    return WorkerReplaced(
        f"another process serves as {name} now; this one must stop (a machine needs a worker name of its own)",
        resource=name,
    )


def _attempts_on(turn: Turn, worker: str) -> list[Attempt]:
    return turn.state().attempts_on(worker)
