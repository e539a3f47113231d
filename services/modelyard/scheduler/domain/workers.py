"""Workers: what they have and what they were told."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from modelyard.scheduler.domain.devices import Device

_REMEMBERED = 16


class WorkerState(StrEnum):
    READY = "READY"
    BUSY = "BUSY"
    CORDONED = "CORDONED"
    DRAINING = "DRAINING"
    LOST = "LOST"


@dataclass(frozen=True, slots=True)
class Worker:
    name: str
    instance: str
    """Of the process that serves it now."""
    create_time: datetime
    heartbeat_time: datetime
    lease_end: datetime
    """By the database's clock; what runs here is lost when it passes."""
    devices: tuple[Device, ...] = ()
    hostname: str = ""
    version: str = ""
    tensorflow_version: str = ""
    replaced: tuple[str, ...] = ()
    """Older processes of this name, which must not come back."""
    cordoned: bool = False
    drained: bool = False
    """An administrator said so; ends when its process is started again."""
    leaving: bool = False
    """It says itself that it takes nothing new."""
    lost: bool = False
    present: bool = False
    """It is connected, as far as this process knows; not stored."""

    @property
    def takes_jobs(self) -> bool:
        return not (self.cordoned or self.drained or self.leaving or self.lost)

    def state(self, free: bool) -> WorkerState:
        """`free` tells whether a usable device is not in use."""
        if self.lost:
            return WorkerState.LOST
        if self.drained or self.leaving:
            return WorkerState.DRAINING
        if self.cordoned:
            return WorkerState.CORDONED
        return WorkerState.READY if free else WorkerState.BUSY


def older(replaced: tuple[str, ...], instance: str) -> tuple[str, ...]:
    return (*replaced, instance)[-_REMEMBERED:]
