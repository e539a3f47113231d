"""Jobs and attempts, and the moves they may make."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from modelyard.scheduler.domain.devices import ANY, Ask, Device


class JobState(StrEnum):
    QUEUED = "QUEUED"
    ASSIGNED = "ASSIGNED"
    PREPARING = "PREPARING"
    RUNNING = "RUNNING"
    PREEMPTING = "PREEMPTING"
    CANCELLING = "CANCELLING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


ENDED = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.EXPIRED})

_J = JobState
MOVES: Mapping[JobState, frozenset[JobState]] = {
    _J.QUEUED: frozenset({_J.ASSIGNED, _J.CANCELLED, _J.EXPIRED, _J.FAILED}),
    _J.ASSIGNED: frozenset(
        {_J.PREPARING, _J.RUNNING, _J.QUEUED, _J.PREEMPTING, _J.CANCELLING, _J.SUCCEEDED, _J.FAILED}
    ),
    _J.PREPARING: frozenset({_J.RUNNING, _J.QUEUED, _J.PREEMPTING, _J.CANCELLING, _J.SUCCEEDED, _J.FAILED}),
    _J.RUNNING: frozenset({_J.QUEUED, _J.PREEMPTING, _J.CANCELLING, _J.SUCCEEDED, _J.FAILED}),
    _J.PREEMPTING: frozenset({_J.QUEUED, _J.CANCELLING, _J.SUCCEEDED, _J.FAILED}),
    # A job that was called off while its version was being registered has succeeded: the version is there.
    _J.CANCELLING: frozenset({_J.CANCELLED, _J.SUCCEEDED}),
    **{state: frozenset() for state in ENDED},
}
"""Where a job may go from each state; ended is ended."""


class AttemptState(StrEnum):
    ASSIGNED = "ASSIGNED"
    PREPARING = "PREPARING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    STOPPED = "STOPPED"
    LOST = "LOST"


class FailureClass(StrEnum):
    USER_CODE = "USER_CODE"
    INVALID_DATA = "INVALID_DATA"
    ACCELERATOR_OOM = "ACCELERATOR_OOM"
    HOST_OOM = "HOST_OOM"
    DIVERGED = "DIVERGED"
    TIMEOUT = "TIMEOUT"
    WORKER_LOST = "WORKER_LOST"
    STORAGE = "STORAGE"
    EXPORT_INVALID = "EXPORT_INVALID"
    INTERNAL = "INTERNAL"
    PIDS = "PIDS"
    DISK_QUOTA = "DISK_QUOTA"
    SIGNAL = "SIGNAL"
    SANDBOX_UNAVAILABLE = "SANDBOX_UNAVAILABLE"
    REQUIREMENTS = "REQUIREMENTS"


RETRIED = frozenset({FailureClass.WORKER_LOST, FailureClass.STORAGE, FailureClass.INTERNAL})
"""Not the user's fault: tried again like a lost worker. All others end the job."""


class StopReason(StrEnum):
    CANCELLED = "CANCELLED"
    PREEMPTED = "PREEMPTED"
    STALE = "STALE"
    TIMEOUT = "TIMEOUT"


@dataclass(frozen=True, slots=True)
class Failure:
    kind: FailureClass
    message: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of a job on one worker."""

    job: str
    number: int
    worker: str
    instance: str
    """Of the worker's process that has it."""
    devices: tuple[Device, ...]
    create_time: datetime
    state: AttemptState = AttemptState.ASSIGNED
    start_time: datetime | None = None
    end_time: datetime | None = None
    stop: StopReason | None = None
    """Why it was asked to stop."""
    stop_deadline: datetime | None = None
    """When it counts as lost if it has not stopped."""
    failure: Failure | None = None
    held: bool = False
    """Lost, but its worker may still run it: its devices are not free."""

    @property
    def name(self) -> str:
        return f"{self.job}/attempts/{self.number}"


@dataclass(frozen=True, slots=True)
class Job:
    """What scheduling needs to know of a job that has not ended."""

    name: str
    order: int
    """Jobs of equal priority run in this order."""
    create_time: datetime
    ask: Ask = ANY
    priority: int = 0
    max_attempts: int = 3
    max_runtime: timedelta | None = None
    max_queue_duration: timedelta | None = None
    model: str = ""
    """Which gets the new version; "" if it makes none."""
    evaluates: str = ""
    """The model version that it judges; "" if it judges none."""
    output_dataset: str = ""
    """Which gets the new version; "" if it makes none."""
    state: JobState = JobState.QUEUED
    attempt_number: int = 0
    """Of the current or last attempt."""
    attempt: Attempt | None = None
    """The one that runs; set exactly while the job is neither QUEUED nor ended."""
    losses: int = 0
    """Since it got further the last time."""
    checkpoint_step: int = 0
    """Of the newest checkpoint that an attempt has spoken of."""
    not_before: datetime | None = None
    """Backoff: it is not assigned earlier."""
    prepare_time: datetime | None = None
    """When an attempt was first acknowledged."""
    start_time: datetime | None = None
    end_time: datetime | None = None
    model_version: str = ""
    evaluation: str = ""
    output_dataset_version: str = ""
    failure: Failure | None = None

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def turn(self) -> tuple[int, int]:
        """Sorts the queue."""
        return (-self.priority, self.order)
