"""What an attempt shall do, and where its inputs and outputs are."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from modelyard.trainer.child import PROGRAM
from modelyard.trainer.domain import Device
from modelyard.trainer.reporter import Reporter


@dataclass(frozen=True, slots=True)
class Work:
    """What an attempt shall do."""

    attempt: str
    dataset_version: str
    dataset_digest: str
    model: str
    devices: tuple[Device, ...]
    cpu_threads: int
    checkpoint_every_s: float
    visible_gpus: str = ""
    """The worker's own CUDA_VISIBLE_DEVICES, by which it numbers its GPUs; empty: all of the machine's."""
    code: Path = Path()
    """The template's folder."""
    entry: str = ""
    """What to run in it."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    """Why this worker can't run it."""
    program: tuple[str, ...] = PROGRAM
    """What a job's process runs, before the path of job.json."""

    @property
    def number(self) -> int:
        """Which attempt of its job."""
        return int(self.attempt.rpartition("/")[2])

    @property
    def device_names(self) -> tuple[str, ...]:
        """As the job's process wants them."""
        return tuple(device.name_in_job(self.visible_gpus) for device in self.devices)

    @property
    def job(self) -> str:
        """The job's resource name."""
        return self.attempt.rpartition("/attempts/")[0]


@dataclass(frozen=True, slots=True)
class Resume:
    """A checkpoint to go on from."""

    name: str
    step: int


class Inputs(Protocol):
    """Where an attempt's inputs come from."""

    async def begin(self, reporter: Reporter) -> Resume | None:
        """Tell the catalog that the attempt has begun; answers the newest checkpoint."""

    def dataset(self, reporter: Reporter) -> contextlib.AbstractAsyncContextManager[Path]:
        """A verified, indexed copy of the dataset that stays while the context is open."""

    async def checkpoint(self, resume: Resume, folder: Path, reporter: Reporter) -> None:
        """Put a checkpoint's files into a new folder."""


class Outputs(Protocol):
    """Where an attempt's outputs go."""

    async def store_checkpoint(self, step: int, folder: Path) -> None:
        """Publish a checkpoint."""

    async def register(self, folder: Path, metrics: Mapping[str, float], reporter: Reporter) -> str:
        """Check the exported model and make it a version of the job's model; answers the version's name."""
