"""The roles, and the question a use case may ask about its caller."""

from collections.abc import Iterable

from modelyard.foundation.auth.identity import Identity
from modelyard.foundation.ids import project_of

ADMINS = frozenset({"admin"})
EDITORS = frozenset({"editor", "admin"})
READERS = frozenset({"viewer", "editor", "admin"})
PREDICTORS = frozenset({"predictor", "editor", "admin"})
WORKERS = frozenset({"worker"})
HOSTS = frozenset({"host"})
SERVICES = frozenset({"service"})
ATTEMPTS = frozenset({"attempt"})

PEOPLE_ROLES = ("viewer", "predictor", "editor", "admin")
MACHINE_ROLES = ("worker", "host", "service", "attempt")


def may(identity: Identity | None, roles: Iterable[str], resource: str) -> bool:
    """Whether the caller holds one of `roles` in the project of `resource` ("" is the installation)."""
    if identity is None:
        return False
    if identity.is_installation_admin:
        return True
    return not identity.roles_in(project_of(resource)).isdisjoint(roles)
