"""Settings of the scheduler."""

from pydantic import Field

from modelyard.foundation.config import (
    ChannelSettings,
    FilePath,
    IdentitySettings,
    ListenSettings,
    ProcessSettings,
    Section,
    SqlSettings,
)
from modelyard.templates.specs import SHIPPED


class AttemptSettings(Section):
    """How attempts are leased, tried again and stopped."""

    lease_s: float = Field(default=20.0, ge=2.0, le=600.0)
    """How long a worker may be silent before what runs there is lost."""
    backoff_s: float = Field(default=10.0, ge=0.0, le=3600.0)
    """Wait before the second attempt of a job whose worker was lost; doubles with each further loss."""
    longest_backoff_s: float = Field(default=360.0, ge=0.0)
    backoff_jitter: float = Field(default=0.2, ge=0.0, lt=1.0)
    """The wait is made longer or shorter by up to this share."""
    stop_grace_s: float = Field(default=30.0, ge=0.0)
    """How long an attempt that is asked to go on elsewhere may take to checkpoint."""
    token_ttl_s: float = Field(default=900.0, ge=60.0, le=86_400.0)
    """How long an attempt's token is good; it is renewed when a third of that is over."""


class SyncSettings(Section):
    longest_wait_s: float = Field(default=10.0, ge=0.0, le=30.0)
    """How long a worker's call is parked when there is nothing to tell."""


class KeptSettings(Section):
    """What is kept of a job's output; the oldest goes first."""

    log_lines: int = Field(default=10_000, ge=1)
    log_bytes: int = Field(default=1024 * 1024, ge=1024)
    line_characters: int = Field(default=4096, ge=80)
    metric_points: int = Field(default=100_000, ge=1)


class ProfileSettings(Section):
    """The jobs that look at every new dataset version."""

    every_s: float = Field(default=2.0, gt=0.0, le=3600.0)
    """How often the catalog is asked for new versions."""
    max_runtime_s: float = Field(default=3600.0, ge=1.0)
    """How long one may take."""


class SchedulerSettings(ProcessSettings):
    server: ListenSettings
    identity: IdentitySettings
    signing_key_file: FilePath
    """The key that signs the tokens of attempts."""
    sql: SqlSettings
    catalog: ChannelSettings
    templates_folder: FilePath = SHIPPED
    """Where the training packages are."""
    attempts: AttemptSettings = AttemptSettings()
    sync: SyncSettings = SyncSettings()
    kept: KeptSettings = KeptSettings()
    profiles: ProfileSettings = ProfileSettings()
