"""A small world for tests of `step`: a clock that is moved by hand, and short words for what happens."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from modelyard.scheduler.domain.decisions import Decision
from modelyard.scheduler.domain.devices import ANY, BESIDE, Ask, Device, DeviceKind
from modelyard.scheduler.domain.events import (
    AttemptCompleted,
    AttemptMoved,
    CheckpointStored,
    Event,
    JobCancelled,
    JobSubmitted,
    Ticked,
    WorkerDrained,
    WorkerSynced,
)
from modelyard.scheduler.domain.jobs import AttemptState, Failure, FailureClass, Job, JobState
from modelyard.scheduler.domain.state import State
from modelyard.scheduler.domain.step import step

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
CPU = (Device(DeviceKind.CPU, 0),)


def gpus(count: int) -> tuple[Device, ...]:
    return tuple(Device(DeviceKind.GPU, index) for index in range(count))


def job_name(number: int) -> str:
    return f"projects/p/jobs/j{number}"


class World:
    def __init__(self) -> None:
        self.state = State()
        self.now = START
        self.ended: dict[str, Job] = {}
        self.log: list[Decision] = []
        self._order = 0

    def happen(self, event: Event) -> Sequence[Decision]:
        self.state, decisions = step(self.state, event)
        self.log += decisions
        for decision in decisions:
            job = getattr(decision, "job", None)
            if isinstance(job, Job) and job.ended:
                self.ended[job.name] = job
        return decisions

    def wait(self, seconds: float, *, heard: Sequence[str] = ()) -> None:
        self.now += timedelta(seconds=seconds)
        self.happen(Ticked(now=self.now, heard=frozenset(heard)))

    def submit(
        self,
        *,
        ask: Ask = ANY,
        priority: int = 0,
        max_attempts: int = 3,
        max_runtime_s: float | None = None,
        max_queue_s: float | None = None,
    ) -> str:
        self._order += 1
        job = Job(
            job_name(self._order),
            self._order,
            self.now,
            ask,
            priority,
            max_attempts,
            None if max_runtime_s is None else timedelta(seconds=max_runtime_s),
            None if max_queue_s is None else timedelta(seconds=max_queue_s),
        )
        self.happen(JobSubmitted(now=self.now, job=job))
        return job.name

    def submit_beside(self, **fields: int) -> str:
        """A job that asks for no device."""
        return self.submit(ask=BESIDE, **fields)

    def sync(
        self,
        worker: str = "workers/w",
        *,
        devices: tuple[Device, ...] = CPU,
        attempts: Sequence[str] = (),
        running: Sequence[str] = (),
        instance: str = "i1",
        leaving: bool = False,
    ) -> None:
        states = [(name, AttemptState.PREPARING) for name in attempts]
        states += [(name, AttemptState.RUNNING) for name in running]
        self.happen(
            WorkerSynced(
                now=self.now,
                worker=worker,
                instance=instance,
                devices=devices,
                attempts=tuple(states),
                leaving=leaving,
            )
        )

    def run(self, job: str, worker: str = "workers/w") -> str:
        """The worker acknowledges the job's attempt and begins its first step."""
        attempt = self.attempt(job)
        self.happen(AttemptMoved(now=self.now, attempt=attempt, state=AttemptState.RUNNING))
        return attempt

    def checkpoint(self, attempt: str, step: int) -> None:
        self.happen(CheckpointStored(now=self.now, attempt=attempt, step=step))

    def complete(self, attempt: str, failure: FailureClass | None = None) -> None:
        outcome = AttemptState.SUCCEEDED if failure is None else AttemptState.FAILED
        self.happen(
            AttemptCompleted(
                now=self.now,
                attempt=attempt,
                outcome=outcome,
                model_version="projects/p/models/m/versions/1" if failure is None else "",
                failure=None if failure is None else Failure(failure, "it broke"),
            )
        )

    def stop(self, attempt: str) -> None:
        self.happen(AttemptCompleted(now=self.now, attempt=attempt, outcome=AttemptState.STOPPED))

    def cancel(self, job: str) -> None:
        self.happen(JobCancelled(now=self.now, job=job))

    def drain(self, worker: str = "workers/w") -> None:
        self.happen(WorkerDrained(now=self.now, worker=worker))

    def job(self, name: str) -> Job:
        return self.state.jobs.get(name) or self.ended[name]

    def state_of(self, name: str) -> JobState:
        return self.job(name).state

    def attempt(self, job: str) -> str:
        attempt = self.job(job).attempt
        assert attempt is not None
        return attempt.name
