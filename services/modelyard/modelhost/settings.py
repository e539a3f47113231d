"""Settings of a model host."""

import os
from typing import Self

from pydantic import Field, model_validator

from modelyard.foundation.addresses import MAX_UNIX_PATH
from modelyard.foundation.config import ChannelSettings, FilePath, ListenSettings, ProcessSettings, Section

_LONGEST_SOCKET_NAME = len("/0123456789abcdef/s.sock")


class HostIdentitySettings(Section):
    token_file: FilePath
    """This host's token: role `host`, subject `hosts/{host}`."""
    trust_file: FilePath | None = None
    """Not needed: nobody calls a host."""


class ModelHostSettings(ProcessSettings):
    """`python -m modelyard.modelhost --config modelhost.toml`."""

    host: str = Field(default="", pattern=r"^([a-z]([a-z0-9-]{0,61}[a-z0-9])?)?$")
    """The host's id; empty: what the token says."""
    server: ChannelSettings
    """The installation's one address: the proxy."""
    identity: HostIdentitySettings
    work_folder: FilePath
    """Verified copies of models and the model servers' folders; only this host writes there."""
    run_folder: FilePath
    """The model servers' sockets; a short path that only this user may enter."""
    listen: ListenSettings | None = None
    """Where gRPC health answers; nowhere if not given."""
    cache_max_bytes: int = Field(default=50 << 30, ge=1 << 20)
    """Copies of models above this are dropped, the longest unused first."""
    model_server: str = "auto"
    """`embedded`, the path of a `tensorflow_model_server`, or `auto`: that one where it is on PATH, else embedded."""
    model_server_flags: tuple[str, ...] = ()
    """More flags for every model server."""
    model_server_memory_bytes: int = Field(default=0, ge=0)
    """The most that one model server may take; 0: as much as there is."""
    start_timeout_s: float = Field(default=180.0, gt=0)
    """The longest a model may take to load and warm up."""
    stop_grace_s: float = Field(default=35.0, gt=0)
    """How long a model server may take to end the calls in flight."""
    leave_s: float = Field(default=5.0, ge=0)
    """When told to stop: how long other hosts may take to serve what this one does."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(os.fsencode(self.run_folder)) + _LONGEST_SOCKET_NAME > MAX_UNIX_PATH:
            raise ValueError(f"run_folder {self.run_folder} is too long for the sockets in it; choose a shorter path")
        return self
