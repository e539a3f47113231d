"""Settings of this service."""

from pydantic import Field

from modelyard.foundation.config import (
    ChannelSettings,
    IdentitySettings,
    ListenSettings,
    ProcessSettings,
    SqlSettings,
)


class InferenceSettings(ProcessSettings):
    """`python -m modelyard.inference --config inference.toml`."""

    server: ListenSettings
    identity: IdentitySettings
    """token_file: the token with role `service` that this process shows the catalog."""
    sql: SqlSettings
    catalog: ChannelSettings
    """Model versions, and the executions that hold them."""
    scheduler: ChannelSettings
    """For the installation's health only."""
    health_period_s: float = Field(default=1.0, gt=0)
    """How often the neighbours are asked how they are."""
