"""Tokens: who may be given which role, and by whom."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from modelyard.catalog.domain.errors import RoleTooHigh
from modelyard.foundation.errors import InvalidArgument
from modelyard.foundation.ids import validate_id

PEOPLE = frozenset({"viewer", "predictor", "editor", "admin"})
MACHINES = {"worker": "workers", "host": "hosts", "service": "services"}
"""Role of a machine -> the collection its subject lies in."""
INSTALLATION = "*"
DEFAULT_TTL = timedelta(days=90)
MAX_TTL = timedelta(days=366)
MIN_TTL = timedelta(seconds=60)
MAX_PROJECTS = 100
_TOKEN_ID = re.compile(r"[A-Za-z0-9_-]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Token:
    """A token without its secret."""

    id: str
    subject: str
    projects: Mapping[str, str]
    create_time: datetime | None
    expire_time: datetime | None
    revoke_time: datetime | None = None

    @property
    def name(self) -> str:
        return f"tokens/{self.id}"


def validate_request(subject: str, projects: Mapping[str, str], ttl: timedelta | None) -> timedelta:
    """The time to live; InvalidArgument for a subject or a role that the catalog does not give."""
    if not 1 <= len(projects) <= MAX_PROJECTS:
        raise InvalidArgument(f"token.projects has 1 to {MAX_PROJECTS} entries", field="token.projects")
    collection, _, last = subject.partition("/")
    if collection not in ("users", *MACHINES.values()):
        raise InvalidArgument(
            f"token.subject must look like users/{{name}}, workers/{{w}}, hosts/{{h}} or services/{{s}}; "
            f"got {subject[:120]!a}",
            field="token.subject",
        )
    validate_id(last, "token.subject")
    for project, role in projects.items():
        if project != INSTALLATION:
            validate_id(project, "token.projects")
        if role in MACHINES:
            if project != INSTALLATION or collection != MACHINES[role]:
                raise InvalidArgument(
                    f"the role {role} is given for the project `*` and to a subject {MACHINES[role]}/…",
                    field="token.projects",
                )
        elif role not in PEOPLE or collection != "users":
            known = ", ".join([*sorted(PEOPLE), *MACHINES])
            raise InvalidArgument(
                f"{role[:40]!a} is not a role that {subject[:120]!a} can have; the roles are {known}",
                field="token.projects",
            )
    ttl = DEFAULT_TTL if ttl is None else ttl
    if not MIN_TTL <= ttl <= MAX_TTL:
        raise InvalidArgument("ttl must be between 1 minute and 366 days", field="ttl")
    return ttl


def administers(giver: Mapping[str, str], projects: Mapping[str, str]) -> bool:
    """Whether whoever holds `giver` is administrator of everything in `projects`."""
    if giver.get(INSTALLATION) == "admin":
        return True
    return bool(projects) and all(giver.get(project) == "admin" for project in projects)


def check_may_give(giver: Mapping[str, str], projects: Mapping[str, str]) -> None:
    """Only an administrator gives roles, and only in what it administers."""
    if not administers(giver, projects):
        lacking = sorted(project for project in projects if giver.get(project) != "admin")
        raise RoleTooHigh(
            "only an administrator can create a token, and only for projects it administers; "
            f"you are not one of {', '.join(lacking[:5])}",
            field="token.projects",
        )


def token_id(name: str) -> str:
    """The ID in `tokens/{token}`: the `jti` of any token, also one this catalog has not made."""
    collection, _, last = name.partition("/")
    if collection != "tokens" or not _TOKEN_ID.fullmatch(last):
        raise InvalidArgument(f"name must look like tokens/{{token}}; got {name[:200]!a}", field="name")
    return last
