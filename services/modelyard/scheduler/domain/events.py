"""What can happen. Times come in events; so does chance."""

from dataclasses import dataclass, field
from datetime import datetime

from modelyard.scheduler.domain.devices import Device
from modelyard.scheduler.domain.jobs import AttemptState, Failure, Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    now: datetime
    jitter: float = 1.0
    """What a backoff is multiplied by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSubmitted(Event):
    job: Job


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCancelled(Event):
    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSynced(Event):
    """A worker says what it has and which attempts it runs, by name."""

    worker: str
    instance: str
    devices: tuple[Device, ...] = ()
    attempts: tuple[tuple[str, AttemptState], ...] = ()
    leaving: bool = False
    hostname: str = ""
    version: str = ""
    tensorflow_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerHeard(Event):
    """A worker is still there: its call was parked until now."""

    worker: str
    instance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerAway(Event):
    """A worker's connection broke: nothing new for it before it is back."""

    worker: str
    instance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerCordoned(Event):
    worker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerUncordoned(Event):
    worker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerDrained(Event):
    worker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptMoved(Event):
    """An attempt says that it prepares or runs."""

    attempt: str
    state: AttemptState


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointStored(Event):
    """An attempt has got further: what was lost before counts no more."""

    attempt: str
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptCompleted(Event):
    attempt: str
    outcome: AttemptState
    """SUCCEEDED, FAILED or STOPPED."""
    model_version: str = ""
    evaluation: str = ""
    output_dataset_version: str = ""
    failure: Failure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticked(Event):
    """Time has passed."""

    heard: frozenset[str] = field(default_factory=frozenset)
    """Workers heard of less than a lease ago by a clock that cannot be set: not lost, whatever `now` says."""
