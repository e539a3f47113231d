"""What an attempt shall do, and where its inputs and outputs are."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from modelyard.foundation.sandbox.policy import Limits
from modelyard.templates.specs import Kind
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
    """The model that gets the new version; empty for a job that makes none."""
    devices: tuple[Device, ...]
    cpu_threads: int
    checkpoint_every_s: float
    visible_gpus: str = ""
    """The worker's own CUDA_VISIBLE_DEVICES, by which it numbers its GPUs; empty: all of the machine's."""
    kind: Kind = Kind.TRAINING
    code: Path = Path()
    """The shipped template's folder; a package's is known once it is here."""
    entry: str = ""
    """What to run in it; empty: what the package itself says."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Of a shipped template typed; a package's are typed once it is here."""
    package_version: str = ""
    package_digest: str = ""
    model_version: str = ""
    """What an evaluation judges, or a prediction asks."""
    model_digest: str = ""
    source_version: str = ""
    """What an import makes a model of."""
    source_digest: str = ""
    output_dataset: str = ""
    """The dataset that gets the new version; empty for a job that makes none."""
    limits: Limits = field(default_factory=Limits)
    problem: str = ""
    """Why this worker can't run it."""
    program: tuple[str, ...] = PROGRAM
    """What a job's process runs, before the path of job.json."""

    @property
    def foreign(self) -> bool:
        """Whether its code, what it loads or what it decodes, with libraries in C, may have been made by others."""
        made_by_others = self.package_version or self.source_version or self.model_version
        return bool(made_by_others) or self.kind is Kind.PROFILE

    @property
    def number(self) -> int:
        """Which attempt of its job."""
        return int(self.attempt.rpartition("/")[2])

    @property
    def device_names(self) -> tuple[str, ...]:
        """As the job's process wants them; one that runs beside others sees the CPU."""
        if not self.devices:
            return ("cpu",)
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


@dataclass(frozen=True, slots=True)
class Distribution:
    """A Python distribution that was installed for a job; `license` is what its metadata say."""

    name: str
    version: str
    license: str = ""


@dataclass(frozen=True, slots=True)
class Installed:
    """What a package's requirements.txt asked for."""

    folder: Path
    distributions: tuple[Distribution, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluation found."""

    metrics: Mapping[str, float]
    split: str
    examples: int


class Inputs(Protocol):
    """Where an attempt's inputs come from."""

    async def begin(self, reporter: Reporter) -> Resume | None:
        """Tell the catalog that the attempt has begun; answers the newest checkpoint."""

    def dataset(self, reporter: Reporter) -> contextlib.AbstractAsyncContextManager[Path]:
        """A verified, indexed copy of the dataset that stays while the context is open."""

    def files(self, version: str, digest: str, reporter: Reporter) -> contextlib.AbstractAsyncContextManager[Path]:
        """A verified copy of a version's files that stays while the context is open."""

    def installed(self, requirements: bytes, reporter: Reporter) -> contextlib.AbstractAsyncContextManager[Installed]:
        """What a requirements.txt asks for, that stays while the context is open. Raises AttemptFailed."""

    async def made_by_others(self, model_version: str, reporter: Reporter) -> bool:
        """Whether a model version came of code or files that are not modelyard's own."""

    async def checkpoint(self, resume: Resume, folder: Path, reporter: Reporter) -> None:
        """Put a checkpoint's files into a new folder."""

    async def run_so_far(self, folder: Path, reporter: Reporter) -> None:
        """Put what earlier attempts have stored as the output `run` into a folder, which is made empty."""

    async def earlier_profiles(self, folder: Path, reporter: Reporter) -> tuple[str, ...]:
        """Put the profiles of the newest earlier versions of the dataset that have one into folders called by the
        versions' numbers; answers the versions' names, the newest first."""


class Outputs(Protocol):
    """Where an attempt's outputs go. Every folder is a copy that the job can't reach."""

    async def store_checkpoint(self, step: int, folder: Path) -> None:
        """Publish a checkpoint."""

    async def store_output(self, name: str, folder: Path) -> None:
        """Publish a tree beside the model; it replaces the one of this name. Raises AttemptFailed."""

    async def register(
        self, folder: Path, metrics: Mapping[str, float], installed: Sequence[Distribution], reporter: Reporter
    ) -> str:
        """Check the exported model and make it a version of the job's model; answers the version's name."""

    async def record(self, report: Path, evaluation: Evaluation, reporter: Reporter) -> str:
        """Store an evaluation's report and what it found; answers the evaluation's name."""

    async def record_statistics(self, folder: Path, file: str, reporter: Reporter) -> None:
        """Store a profile and the statistics in its file `file`. Raises AttemptFailed."""

    async def register_dataset(self, folder: Path, reporter: Reporter) -> str:
        """Make a model's answers a version of the job's dataset; answers the version's name."""
