"""Who is calling."""

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime

from modelyard.foundation.errors import Unauthenticated

INSTALLATION_PROJECT = "*"
"""In a token's `projects`: the whole installation. A role here holds in every project."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A verified token."""

    subject: str
    """A resource name: `tokens/{token}`, `workers/{worker}`, `projects/{p}/jobs/{j}/attempts/{n}`, …"""
    issuer: str
    token_id: str
    """The token's `jti`."""
    projects: Mapping[str, str]
    """Role by project."""
    expire_time: datetime
    claims: Mapping[str, object] = field(default_factory=dict, repr=False)
    """Everything the token says, for the claims only one service knows."""

    def roles_in(self, project: str) -> frozenset[str]:
        """The roles held in `project`, those in the installation among them; project "" is the installation only."""
        names = (project, INSTALLATION_PROJECT) if project else (INSTALLATION_PROJECT,)
        return frozenset(self.projects[name] for name in names if name in self.projects)

    @property
    def is_installation_admin(self) -> bool:
        return self.projects.get(INSTALLATION_PROJECT) == "admin"


_current: ContextVar[Identity | None] = ContextVar("modelyard_identity", default=None)


def current_identity() -> Identity:
    """The caller of the RPC that is being served; Unauthenticated outside of one, or when the RPC is public."""
    identity = _current.get()
    if identity is None:
        raise Unauthenticated("this needs a caller with a token, and there is none")
    return identity


def caller() -> Identity | None:
    """The caller, None when it is anonymous."""
    return _current.get()


def set_current_identity(identity: Identity | None) -> None:
    """For the bindings, and for tests of use cases; lasts as long as the task (context) it is called in."""
    _current.set(identity)
