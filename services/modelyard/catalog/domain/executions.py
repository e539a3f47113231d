"""Executions: who uses which versions, and which attempt speaks for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from modelyard.catalog.domain.artifacts import Tree
from modelyard.catalog.domain.errors import ExecutionEnded, OnlyAttempts, StaleAttempt, TooManyOutputs
from modelyard.catalog.domain.names import CheckpointName, JobName, OutputName
from modelyard.foundation.errors import InvalidArgument
from modelyard.foundation.ids import matches

MAX_OUTPUTS = 32
"""Names of outputs that a job may have."""


class ExecutionState(StrEnum):
    OPEN = "OPEN"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Ref:
    """A version as it was when it was resolved; the name stays when the version is gone."""

    name: str
    digest: str
    version_uid: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    name: CheckpointName
    tree: Tree
    attempt: int
    create_time: datetime


@dataclass(frozen=True, slots=True)
class Output:
    """Files that a job leaves beside its model."""

    name: OutputName
    tree: Tree
    attempt: int
    create_time: datetime


@dataclass(frozen=True, slots=True)
class Execution:
    uid: str
    project: str
    consumer: str
    attempt: int
    requested: tuple[str, ...]
    """The inputs as they were asked for, aliases and all: by them a retry is known."""
    inputs: tuple[Ref, ...]
    outputs: tuple[Ref, ...]
    state: ExecutionState
    create_time: datetime
    end_time: datetime | None = None
    last_checkpoint: Checkpoint | None = None
    output_dataset: str = ""
    """The name of the dataset that it makes a version of; "" if it makes none."""
    weak: bool = False
    """Its inputs may be deleted while it is open."""
    message: str = ""
    """Why it ended badly."""

    @property
    def name(self) -> str:
        return f"projects/{self.project}/executions/{self.uid}"

    @property
    def of_job(self) -> bool:
        return "/jobs/" in self.consumer


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a job, as a token's subject names it."""

    job: JobName
    number: int

    def __str__(self) -> str:
        return f"{self.job}/attempts/{self.number}"


def is_attempt(subject: str) -> bool:
    """Whether a token's subject is an attempt; people and other machines have names of another form."""
    return matches("projects/{project}/jobs/{job}/attempts/{attempt:int}", subject)


def attempt_of(subject: str) -> Attempt:
    """The attempt that a token with the role `attempt` speaks for."""
    if not is_attempt(subject):
        raise OnlyAttempts(f"the token speaks for {subject[:200]!a}, not for an attempt of a job")
    _, project, _, job, _, number = subject.split("/")
    return Attempt(JobName(project, job), int(number))


def check_fence(execution: Execution | None, attempt: Attempt) -> Execution:
    """The open execution that `attempt` may write for; ABORTED when a newer attempt has begun."""
    if execution is None:
        raise ExecutionEnded(f"{attempt.job} has no execution; the scheduler begins it", resource=str(attempt.job))
    if attempt.number < execution.attempt:
        raise stale(execution, attempt.number)
    if execution.state is not ExecutionState.OPEN:
        raise ended(execution)
    if attempt.number > execution.attempt:
        raise ExecutionEnded(
            f"{attempt} has not begun; call BeginExecution first", resource=str(attempt.job), state="NOT_BEGUN"
        )
    return execution


def check_attempt(execution: Execution, attempt: int) -> None:
    if attempt < execution.attempt:
        raise stale(execution, attempt)


def stale(execution: Execution, attempt: int) -> StaleAttempt:
    return StaleAttempt(
        f"attempt {attempt} of {execution.consumer} was replaced by attempt {execution.attempt}; stop",
        resource=execution.consumer,
        attempt=str(attempt),
        newest=str(execution.attempt),
    )


def ended(execution: Execution) -> ExecutionEnded:
    return ExecutionEnded(
        f"the execution of {execution.consumer} has ended: {execution.state.lower()}",
        resource=execution.consumer,
        state=execution.state,
    )


def validate_inputs(inputs: Sequence[str], most: int = 64) -> None:
    if len(inputs) > most:
        raise InvalidArgument(f"inputs has {len(inputs)} entries; at most {most} are allowed", field="inputs")


def check_output_room(name: OutputName, known: Sequence[Output]) -> None:
    """Refuse one more name when a job has all the outputs that it may have; the same name again replaces one."""
    if len(known) >= MAX_OUTPUTS and name not in {output.name for output in known}:
        raise TooManyOutputs(
            f"{name.job} has {len(known)} outputs, the most that a job may have, so {name.id} can't be added; "
            "put its files into one of them",
            resource=str(name),
            limit=str(MAX_OUTPUTS),
        )
