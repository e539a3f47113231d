"""What an attempt is and how it can end. Pure."""

import signal
from dataclasses import dataclass, field
from enum import StrEnum


class FailureClass(StrEnum):
    """As in the API's Job.FailureClass, without its prefix."""

    USER_CODE = "USER_CODE"
    INVALID_DATA = "INVALID_DATA"
    ACCELERATOR_OOM = "ACCELERATOR_OOM"
    HOST_OOM = "HOST_OOM"
    DIVERGED = "DIVERGED"
    STORAGE = "STORAGE"
    EXPORT_INVALID = "EXPORT_INVALID"
    INTERNAL = "INTERNAL"


class StopReason(StrEnum):
    """Why an attempt is told to stop."""

    CANCELLED = "CANCELLED"
    PREEMPTED = "PREEMPTED"
    STALE = "STALE"
    TIMEOUT = "TIMEOUT"

    @property
    def saves(self) -> bool:
        """Whether the job shall checkpoint first: it goes on later."""
        return self is StopReason.PREEMPTED

    @property
    def silent(self) -> bool:
        """Whether nothing may be stored or reported any more."""
        return self is StopReason.STALE


class AttemptFailed(Exception):
    """The attempt has ended badly: why, in a sentence, and what the log has to say."""

    def __init__(self, failure_class: FailureClass, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.failure_class = failure_class
        self.message = message
        self.detail = detail


class AttemptStopped(Exception):
    """The attempt was told to stop, and has."""


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The model version that the attempt registered."""

    model_version: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Why it ended badly."""

    failure_class: FailureClass
    message: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Stopped:
    """It was told to."""


Outcome = Succeeded | Failed | Stopped


@dataclass(frozen=True, slots=True)
class Device:
    """A device of this machine. `kind` is `cpu`, `gpu` or `tpu`; `problem` says why TensorFlow can't use it."""

    kind: str
    index: int
    model: str = ""
    memory_bytes: int = 0
    problem: str = ""

    @property
    def tensorflow_name(self) -> str:
        """As a job's process wants it."""
        return "cpu" if self.kind == "cpu" else f"{self.kind}:{self.index}"


@dataclass(frozen=True, slots=True)
class Found:
    """What a machine has."""

    devices: tuple[Device, ...]
    tensorflow_version: str = ""
    problem: str = ""
    """Why TensorFlow can't be used at all; empty if it can."""

    @property
    def usable(self) -> tuple[Device, ...]:
        """What can be given to jobs."""
        return () if self.problem else tuple(device for device in self.devices if not device.problem)


@dataclass(slots=True)
class Progress:
    """How far an attempt is; as in the API's Progress."""

    stage: str = "preparing"
    step: int = 0
    total_steps: int = 0
    epoch: int = 0
    epochs: int = 0
    examples_per_second: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)
    done_bytes: int = 0
    total_bytes: int = 0
    checkpoint_step: int = 0


def died(exit_status: int, last_lines: str) -> AttemptFailed:
    """Why a training process that said nothing is gone. `exit_status` is negative for a signal, as in subprocess."""
    if exit_status == -signal.SIGKILL:
        return AttemptFailed(
            FailureClass.HOST_OOM,
            "the training process was killed by the system, which happens when the machine runs out of memory; "
            "use a smaller batch size or a machine with more memory",
            last_lines,
        )
    if exit_status < 0:
        name = signal.Signals(-exit_status).name
        return AttemptFailed(FailureClass.INTERNAL, f"the training process crashed with {name}", last_lines)
    return AttemptFailed(
        FailureClass.INTERNAL, f"the training process ended with status {exit_status} without a word", last_lines
    )
