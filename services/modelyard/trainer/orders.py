"""What worker and scheduler tell each other."""

from dataclasses import dataclass
from typing import Any

from modelyard.trainer.domain import Device, StopReason


@dataclass(frozen=True, slots=True)
class Seen:
    """An attempt that the worker runs, and whether its first step has begun."""

    attempt: str
    running: bool


@dataclass(frozen=True, slots=True)
class Assignment:
    """An attempt to run."""

    attempt: str
    template: str
    """Either this or package_version."""
    parameters: dict[str, Any]
    dataset_version: str
    dataset_digest: str
    model: str
    devices: tuple[Device, ...]
    token: str
    """For the catalog; renewed now and then."""
    entry: str = ""
    package_version: str = ""
    package_digest: str = ""
    model_version: str = ""
    model_digest: str = ""
    source_version: str = ""
    source_digest: str = ""
    output_dataset: str = ""
    max_runtime_s: float = 0.0
    """0: no limit."""


@dataclass(frozen=True, slots=True)
class StopOrder:
    """An attempt to stop."""

    attempt: str
    reason: StopReason
    grace_s: float
    """0: as the worker is set."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What the scheduler wants."""

    assignments: tuple[Assignment, ...]
    stops: tuple[StopOrder, ...]
    lease_s: float
    drain: bool
