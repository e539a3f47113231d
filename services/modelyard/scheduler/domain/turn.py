"""One step in the making: the state being changed, and the decisions taken so far."""

from dataclasses import replace

from modelyard.scheduler.domain.decisions import (
    AttemptChanged,
    Decision,
    ExecutionEnded,
    JobChanged,
    WorkerChanged,
    WorkerForgotten,
)
from modelyard.scheduler.domain.events import Event
from modelyard.scheduler.domain.jobs import MOVES, Attempt, Job
from modelyard.scheduler.domain.state import State
from modelyard.scheduler.domain.workers import Worker


class Turn:
    """Copies what it changes, when it first changes it."""

    def __init__(self, state: State, event: Event) -> None:
        self._before = state
        self.now = event.now
        self.jitter = event.jitter
        self.rules = state.rules
        self.jobs = dict(state.jobs)
        self.workers = dict(state.workers)
        self.held = dict(state.held)
        self._decisions: list[Decision] = []

    def state(self) -> State:
        return State(self.rules, self.jobs, self.workers, self.held)

    def result(self) -> tuple[State, tuple[Decision, ...]]:
        return self.state(), tuple(self._decisions)

    def find_attempt(self, name: str) -> Attempt | None:
        return self.state().find_attempt(name)

    def submit(self, job: Job) -> None:
        if job.name in self.jobs:
            raise AssertionError(f"{job.name} was submitted before")
        self.jobs[job.name] = job
        self._decisions.append(JobChanged(job, None))

    def put_job(self, job: Job) -> None:
        """Stores a job in its new state; one that ended leaves, and frees its inputs."""
        before = self.jobs[job.name]
        if job.state is not before.state and job.state not in MOVES[before.state]:
            raise AssertionError(f"{job.name} may not go from {before.state} to {job.state}")
        if job.ended:
            del self.jobs[job.name]
        else:
            self.jobs[job.name] = job
        self._decisions.append(JobChanged(job, before.state))
        if job.ended:
            self._decisions.append(ExecutionEnded(job))

    def put_attempt(self, attempt: Attempt) -> None:
        """Stores an attempt's new state; whether the job still has it is said with `put_job`."""
        if attempt.held:
            self.held[attempt.name] = attempt
        else:
            self.held.pop(attempt.name, None)
        self._decisions.append(AttemptChanged(attempt))

    def put_worker(self, worker: Worker, *, durable: bool = True) -> None:
        before = self.workers.get(worker.name)
        self.workers[worker.name] = worker
        if durable:
            self._decisions.append(WorkerChanged(worker, news=before is None or _differ(before, worker)))

    def forget_worker(self, worker: Worker) -> None:
        del self.workers[worker.name]
        self._decisions.append(WorkerForgotten(worker.name))


def _differ(before: Worker, after: Worker) -> bool:
    """Whether more than the time has changed."""
    return replace(before, heartbeat_time=after.heartbeat_time, lease_end=after.lease_end) != after
