"""The whole of what scheduling knows, as one immutable value."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from modelyard.scheduler.domain.devices import DeviceKey
from modelyard.scheduler.domain.jobs import Attempt, Job
from modelyard.scheduler.domain.workers import Worker


@dataclass(frozen=True, slots=True)
class Rules:
    """Settings that decide; part of the state, so that `step` needs nothing else."""

    lease: timedelta = timedelta(seconds=20)
    backoff: timedelta = timedelta(seconds=10)
    """Before the second attempt; doubles with each further loss."""
    longest_backoff: timedelta = timedelta(seconds=360)
    stop_grace: timedelta = timedelta(seconds=30)
    """How long an attempt may take to checkpoint and stop."""
    forget_after: timedelta = timedelta(days=7)
    """A lost worker leaves the list after this long."""


@dataclass(frozen=True, slots=True)
class State:
    """`jobs` holds those that have not ended; `held` the lost attempts that their workers may still run."""

    rules: Rules = Rules()
    jobs: Mapping[str, Job] = field(default_factory=dict)
    workers: Mapping[str, Worker] = field(default_factory=dict)
    held: Mapping[str, Attempt] = field(default_factory=dict)

    def running(self) -> Iterator[Attempt]:
        for job in self.jobs.values():
            if job.attempt is not None:
                yield job.attempt

    def attempts_on(self, worker: str) -> list[Attempt]:
        return [attempt for attempt in self.running() if attempt.worker == worker]

    def find_attempt(self, name: str) -> Attempt | None:
        """A current attempt by its name."""
        job = self.jobs.get(name.rsplit("/attempts/", 1)[0])
        return job.attempt if job is not None and job.attempt is not None and job.attempt.name == name else None

    def beside(self) -> set[str]:
        """Workers on which a job without devices runs, or may still run."""
        return {attempt.worker for attempt in (*self.running(), *self.held.values()) if not attempt.devices}

    def in_use(self) -> dict[str, set[DeviceKey]]:
        """Devices that nobody may be given, by worker."""
        used: dict[str, set[DeviceKey]] = {}
        for attempt in (*self.running(), *self.held.values()):
            used.setdefault(attempt.worker, set()).update(device.key for device in attempt.devices)
        return used
