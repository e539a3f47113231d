"""Pure: what a host is told, what it says, and how often something that fails is tried again."""

import hashlib
from dataclasses import dataclass, replace
from enum import IntEnum

from modelyard.foundation.errors import FailedPrecondition, Unavailable

TRIES = 3
"""How often a version that has never answered is started before it has failed."""
RETRY_FAILED_S = 60.0
"""A failure that may pass (a full disk) is tried again after this long."""
MAX_BACKOFF_S = 60.0
STEADY_S = 60.0
"""A model server that answered this long starts with a clean record."""


class State(IntEnum):
    """As ServedVersion.State in the API."""

    FETCHING = 1
    LOADING = 2
    SERVING = 3
    STOPPING = 4
    FAILED = 5


class NotNow(Unavailable):
    """The catalog or its store cannot be reached; it is tried again and again."""

    reason = "CATALOG_UNREACHABLE"


class CannotServe(FailedPrecondition):
    """This version cannot be brought up on this host."""

    reason = "CANNOT_SERVE"


@dataclass(frozen=True, slots=True)
class Order:
    """A model server to run."""

    deployment: str
    model_version: str
    digest: str
    serving_name: str
    batching: bool
    stopping: bool = False
    foreign: bool = False
    """Code or files that others wrote made it: it is loaded in the strong sandbox only."""

    @property
    def key(self) -> tuple[str, str]:
        return (self.deployment, self.model_version)

    @property
    def version(self) -> int:
        return int(self.model_version.rpartition("/")[2])

    @property
    def folder_name(self) -> str:
        """Short, and its own: it is part of a socket's path."""
        return hashlib.sha256("\0".join((*self.key, self.digest)).encode()).hexdigest()[:16]

    def running(self) -> "Order":
        return replace(self, stopping=False)


@dataclass(frozen=True, slots=True)
class Report:
    """A model server as this host sees it."""

    order: Order
    state: State
    message: str = ""
    endpoint: str = ""
    memory_bytes: int = 0
    restart_count: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """How a version has done so far."""

    failures: int = 0
    """In a row."""
    served: bool = False
    """It has answered at least once."""

    def answered(self) -> "Record":
        return replace(self, served=True)

    def ended(self, answered_s: float) -> "Record":
        """It died, or did not come up; `answered_s` is how long it had answered."""
        return replace(self, failures=1 if answered_s >= STEADY_S else self.failures + 1)

    @property
    def hopeless(self) -> bool:
        """It has never answered, and was tried often enough."""
        return not self.served and self.failures >= TRIES

    @property
    def backoff_s(self) -> float:
        """How long to wait before the next start: none after a first death, then longer and longer."""
        if self.failures <= 1:
            return 0.0 if self.served else 1.0
        return float(min(2.0 ** (self.failures - 1), MAX_BACKOFF_S))


def vanished(orders: dict[tuple[str, str], Order], running: dict[tuple[str, str], Order]) -> list[tuple[str, str]]:
    """What runs and shall not, or shall run otherwise."""
    return [key for key, order in running.items() if key not in orders or orders[key] != order]


def missing(orders: dict[tuple[str, str], Order], running: dict[tuple[str, str], Order]) -> list[Order]:
    """What shall run and does not; something that shall stop is not started."""
    return [order for key, order in orders.items() if not order.stopping and key not in running]
