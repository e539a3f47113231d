"""What follows from an event, for whoever stores it and tells others."""

from dataclasses import dataclass

from modelyard.scheduler.domain.jobs import Attempt, Job, JobState
from modelyard.scheduler.domain.workers import Worker


@dataclass(frozen=True, slots=True)
class JobChanged:
    job: Job
    before: JobState | None
    """None: it is new in the queue."""


@dataclass(frozen=True, slots=True)
class AttemptChanged:
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class WorkerChanged:
    worker: Worker
    news: bool
    """More than its heartbeat."""


@dataclass(frozen=True, slots=True)
class WorkerForgotten:
    """It was lost for long enough to leave the list."""

    worker: str


@dataclass(frozen=True, slots=True)
class ExecutionEnded:
    """The catalog must hear that the job holds its inputs no longer."""

    job: Job


Decision = JobChanged | AttemptChanged | WorkerChanged | WorkerForgotten | ExecutionEnded
