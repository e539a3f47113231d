"""Devices, and what a job asks for."""

from dataclasses import dataclass
from enum import StrEnum


class DeviceKind(StrEnum):
    CPU = "CPU"
    GPU = "GPU"
    TPU = "TPU"


PREFERENCE = (DeviceKind.GPU, DeviceKind.TPU, DeviceKind.CPU)
"""The order in which kinds are tried for a job that takes any."""


@dataclass(frozen=True, slots=True)
class Device:
    kind: DeviceKind
    index: int
    model: str = ""
    memory_bytes: int = 0
    problem: str = ""
    """Why TensorFlow cannot use it; "" if it can."""

    @property
    def key(self) -> "DeviceKey":
        return (self.kind, self.index)


DeviceKey = tuple[DeviceKind, int]


@dataclass(frozen=True, slots=True)
class Ask:
    """`count` devices of one kind on one worker; kind None takes any."""

    kind: DeviceKind | None = None
    count: int = 1
    """0: none. The job runs beside those that have devices, one such job at a time on a worker."""

    @property
    def beside(self) -> bool:
        return self.count == 0

    @property
    def kinds(self) -> tuple[DeviceKind, ...]:
        return PREFERENCE if self.kind is None else (self.kind,)

    def __str__(self) -> str:
        if self.beside:
            return "a worker to run beside other jobs on"
        if self.kind is None:
            return "1 device" if self.count == 1 else f"{self.count} devices of one kind"
        return f"{self.count} {self.kind}{'' if self.count == 1 else 's'}"


ANY = Ask()
"""One device, whichever is best of those that are free."""
BESIDE = Ask(None, 0)
"""No device."""
