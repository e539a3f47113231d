"""Hosts, what they were told to serve, and what they say they serve."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from modelyard.foundation.errors import Conflict, NotFound

HOST = "hosts/{host}"
LEASE = timedelta(seconds=20)
"""A host that was not heard of for this long is lost."""
FORGET_AFTER = timedelta(days=7)
"""A lost host leaves the list after this long."""


class HostNotFound(NotFound):
    reason = "HOST_NOT_FOUND"


class HostReplaced(Conflict):
    reason = "HOST_REPLACED"


class HostState(IntEnum):
    """As in the API."""

    READY = 1
    DRAINING = 2
    LOST = 3


class ServedState(IntEnum):
    """As in the API."""

    FETCHING = 1
    LOADING = 2
    SERVING = 3
    STOPPING = 4
    FAILED = 5


@dataclass(frozen=True, slots=True)
class Served:
    """A model server as its host sees it."""

    deployment: str
    model_version: str
    state: ServedState
    message: str = ""
    endpoint: str = ""
    batching: bool = False
    memory_bytes: int = 0
    restart_count: int = 0


@dataclass(frozen=True, slots=True)
class Host:
    name: str
    instance_id: str
    """Of the process that serves it now."""
    create_time: datetime
    heartbeat_time: datetime
    previous_instance_id: str = ""
    hostname: str = ""
    version: str = ""
    model_server: str = ""
    leaving: bool = False
    """It says itself that it takes nothing new."""
    drained: bool = False
    """An administrator said so; ends when its process is started again."""
    lost: bool = False
    """It was found to be lost, and was not heard of since."""
    served: tuple[Served, ...] = ()


@dataclass(frozen=True, slots=True)
class Assignment:
    """A model server that a host shall run."""

    deployment: str
    model_version: str
    host: str
    digest: str
    serving_name: str
    batching: bool
    create_time: datetime
    foreign: bool = False
    """It is loaded in the strong sandbox only."""
    trial: int = 0
    """The deployment's trial it belongs to."""
    retire_time: datetime | None = None
    """Since when nothing is routed to it."""
    stopping: bool = False
    """Every proxy has had time to notice: it may stop."""

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.deployment, self.model_version, self.host)

    @property
    def active(self) -> bool:
        return self.retire_time is None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a host says in one Sync."""

    host: str
    instance_id: str
    hostname: str
    version: str
    model_server: str
    leaving: bool
    served: tuple[Served, ...]


def state_of(host: Host, now: datetime, heard_since: datetime) -> HostState:
    """`heard_since` is when this service began to listen: before that it could not hear anybody."""
    if host.lost or now - max(host.heartbeat_time, heard_since) > LEASE:
        return HostState.LOST
    return HostState.DRAINING if host.leaving or host.drained else HostState.READY


def beat(known: Host | None, heartbeat: Heartbeat, now: datetime) -> Host:
    """The host after a heartbeat. The process that came last is the host; the one before it is refused."""
    if known is not None and heartbeat.instance_id == known.previous_instance_id:
        raise HostReplaced(
            f"another process has taken over {known.name}; stop this one, or give it a token of its own",
            resource=known.name,
        )
    same = known is not None and known.instance_id == heartbeat.instance_id
    return Host(
        name=heartbeat.host,
        instance_id=heartbeat.instance_id,
        previous_instance_id="" if known is None else known.previous_instance_id if same else known.instance_id,
        create_time=now if known is None else known.create_time,
        heartbeat_time=now,
        hostname=heartbeat.hostname,
        version=heartbeat.version,
        model_server=heartbeat.model_server,
        leaving=heartbeat.leaving,
        drained=known is not None and same and known.drained,
        served=heartbeat.served,
    )
