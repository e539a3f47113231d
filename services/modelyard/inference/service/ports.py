"""What the use cases need from outside."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from modelyard.inference.domain.deployments import Deployment, Hold, ModelVersion
from modelyard.inference.domain.hosts import Host
from modelyard.inference.domain.reconcile import Plan, World


@dataclass(frozen=True, slots=True)
class Audit:
    """Who changed what."""

    time: datetime
    subject: str
    token_id: str
    action: str
    resource: str


@dataclass(frozen=True, slots=True)
class Request:
    """What makes a retry known."""

    request_id: str
    body: bytes
    """The whole request in a canonical form."""


@dataclass(frozen=True, slots=True)
class Settled:
    plan: Plan
    revision: int
    """Of the routes; grows with every change of them."""


class Records(Protocol):
    """What is durable. Every method is one transaction; functions given to it are pure and may run twice."""

    async def create(self, deployment: Deployment, request: Request, audit: Audit) -> Deployment:
        """Raises DeploymentExists or DeploymentDeleting; a retry gets the first answer."""

    async def get(self, name: str) -> Deployment:
        """Raises DeploymentNotFound."""

    async def page(self, project: str, after: str, limit: int) -> list[Deployment]:
        """Those of a project whose names come after `after`, in order."""

    async def change(self, name: str, change: Callable[[Deployment], Deployment], audit: Audit) -> Deployment:
        """Raises DeploymentNotFound, and what `change` raises."""

    async def beat(self, name: str, change: Callable[[Host | None], Host]) -> tuple[Host | None, Host]:
        """The host before and after."""

    async def change_host(self, name: str, change: Callable[[Host], Host], audit: Audit) -> Host:
        """Raises HostNotFound."""

    async def settle(self, decide: Callable[[World], Plan]) -> Settled:
        """Reads the world, and writes what the plan changes in it."""

    async def unsettled_holds(self) -> list[Hold]:
        """What the catalog has not confirmed yet."""

    async def answer_hold(self, asked: Hold, answer: Hold) -> None:
        """Stores what became of `asked`, unless it was replaced in the meantime."""


class Catalog(Protocol):
    async def model_version(self, name: str) -> ModelVersion:
        """Resolved; raises ModelVersionNotReady, or what the catalog answers."""

    async def begin(self, hold: Hold) -> None:
        """Holds its inputs; raises a Conflict when a newer attempt has begun."""

    async def end(self, hold: Hold) -> None:
        """Lets go; an execution that never was counts as ended."""
