"""Settings of a worker."""

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from modelyard.foundation.addresses import UnixAddress, parse_listen
from modelyard.foundation.config import ChannelSettings, IdentitySettings, ListenSettings, ProcessSettings, Section


class LimitSettings(Section):
    """What one job may use. A job that goes beyond is ended, and says which of these it was."""

    memory_bytes: int = Field(default=0, ge=0)
    """0: `memory_share` of what this machine, or this container, has."""
    memory_share: float = Field(default=0.8, gt=0, le=1)
    profile_memory_bytes: int = Field(default=2 << 30, ge=1 << 28)
    """What a job that profiles a dataset may use, beside the others."""
    pids: int = Field(default=0, ge=0)
    """Processes and threads, of which TensorFlow starts several a core. 0: 1024, on large machines 16 a core."""
    disk_bytes: int = Field(default=50 << 30, ge=1 << 20)
    """Everything that it leaves in its folder, checkpoints that are not stored yet included."""
    disk_files: int = Field(default=200_000, ge=100)
    requirements_bytes: int = Field(default=10 << 30, ge=1 << 20)
    """What a package's requirements.txt may install."""


class TrainerSettings(ProcessSettings):
    """`python -m modelyard.trainer --config trainer.toml`."""

    worker: str = Field(pattern=r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$")
    """The worker's id; its token must be `workers/{worker}`'s."""
    server: ChannelSettings
    """The installation's one address: the proxy."""
    identity: IdentitySettings
    """token_file: this worker's token; trust_file: whom the local service believes."""
    listen: ListenSettings
    """The unix socket where the local TrainerService answers. Only this process's own user can open it, who could read
    the worker's token as well: that is why revoked tokens are not looked for here."""
    work_folder: Path
    """Attempts' folders and verified copies of datasets; only this worker writes there."""
    cache_max_bytes: int = Field(default=50 << 30, ge=1 << 20)
    """Copies of datasets above this are dropped, the longest unused first."""
    use_devices: Literal["auto", "cpu"] = "auto"
    """`auto`: GPUs and TPUs where TensorFlow can use them, and the CPU; `cpu`: the CPU only."""
    cpu_threads: int = Field(default=0, ge=0)
    """Threads of a job on the CPU; 0 means as many as TensorFlow likes."""
    checkpoint_every_s: float = Field(default=30.0, gt=0)
    """Time between checkpoints within an epoch; an epoch's end is one as well, unless there was one shortly before."""
    stop_grace_s: float = Field(default=60.0, gt=0)
    """How long a job may take to checkpoint when the worker is told to stop."""

    limits: LimitSettings = LimitSettings()

    @field_validator("listen")
    @classmethod
    def _on_this_machine(cls, listen: ListenSettings) -> ListenSettings:
        if not isinstance(parse_listen(listen.listen), UnixAddress):
            raise ValueError("the local TrainerService listens on a unix socket: unix:/path")
        return listen
