"""What an attempt is and how it can end. Pure."""

import errno
from dataclasses import dataclass, field
from enum import StrEnum


class FailureClass(StrEnum):
    """As in the API's Job.FailureClass, without its prefix."""

    USER_CODE = "USER_CODE"
    INVALID_DATA = "INVALID_DATA"
    ACCELERATOR_OOM = "ACCELERATOR_OOM"
    HOST_OOM = "HOST_OOM"
    DIVERGED = "DIVERGED"
    TIMEOUT = "TIMEOUT"
    STORAGE = "STORAGE"
    EXPORT_INVALID = "EXPORT_INVALID"
    INTERNAL = "INTERNAL"
    PIDS = "PIDS"
    DISK_QUOTA = "DISK_QUOTA"
    SIGNAL = "SIGNAL"
    SANDBOX_UNAVAILABLE = "SANDBOX_UNAVAILABLE"
    REQUIREMENTS = "REQUIREMENTS"


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

    def outranks(self, other: "StopReason") -> bool:
        """Whether this one counts when the attempt was told to stop for `other` before."""
        return _RANK[self] > _RANK[other]


_RANK = {StopReason.PREEMPTED: 0, StopReason.TIMEOUT: 1, StopReason.CANCELLED: 1, StopReason.STALE: 2}


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
    """What the attempt has made; statistics are found by what they are of."""

    model_version: str = ""
    evaluation: str = ""
    output_dataset_version: str = ""


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

    def __str__(self) -> str:
        return " ".join(part for part in (f"{self.kind}:{self.index}", self.model, self.problem) if part)

    def name_in_job(self, visible_gpus: str) -> str:
        """As a job's process wants it: `cpu`, or `gpu:` and what its CUDA_VISIBLE_DEVICES shall name.

        `visible_gpus` is this process's own CUDA_VISIBLE_DEVICES: TensorFlow numbers what is named there from 0.
        """
        if self.kind == "cpu":
            return "cpu"
        names = visible_gpus.split(",") if self.kind == "gpu" and visible_gpus else []
        return f"{self.kind}:{names[self.index] if self.index < len(names) else self.index}"


@dataclass(frozen=True, slots=True)
class Found:
    """What a machine has, also what TensorFlow can't use of it."""

    devices: tuple[Device, ...]
    tensorflow_version: str = ""


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
    texts: dict[str, str] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    """The newest of each name, by its path in the output `run`."""


def disk_failed(error: OSError) -> Failed:
    """What an error of this worker's disk means to whose job it was."""
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Failed(FailureClass.STORAGE, f"this worker's disk is full{where}; free some space")
    return Failed(FailureClass.STORAGE, f"this worker's disk can't be used{where}: {error.strerror or error}")
