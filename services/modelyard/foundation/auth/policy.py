"""Which roles may call which RPC: one table, and the function that applies it.

    RULES = {
        **service_rules("modelyard.api.catalog.v1.DatasetService", {
            "GetDataset": Rule(READERS, "name"),
            "CreateDataset": Rule(EDITORS, "parent"),
        }),
    }

`scope` says where the request names the resource whose project decides: a dotted field path ("dataset.name"; "a|b" is
the first of the two that is set). Roles are explicit sets: nothing is inherited that is not written here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from modelyard.foundation.auth.identity import Identity
from modelyard.foundation.auth.roles import may
from modelyard.foundation.errors import PermissionDenied

INSTALLATION = "*"
"""Scope: the role must be held in the installation itself (project `*`)."""


@dataclass(frozen=True, slots=True)
class Rule:
    roles: frozenset[str]
    scope: str
    """A field path, or INSTALLATION."""
    public: bool = False
    """Anybody, without a token."""
    any_identity: bool = False
    """Whoever has a valid token; the use case shows only what the caller may see."""


PUBLIC = Rule(frozenset(), "", public=True)
ANY_IDENTITY = Rule(frozenset(), "", any_identity=True)

Rules = Mapping[str, Rule]
"""Full method ("/package.Service/Method") -> rule."""


def service_rules(service: str, rules: Mapping[str, Rule]) -> dict[str, Rule]:
    return {f"/{service}/{method}": rule for method, rule in rules.items()}


def authorize(identity: Identity | None, rule: Rule, request: Message, method: str = "") -> None:
    """Returns when the call may go on, raises PermissionDenied otherwise.

    Runs before validation and before anything is looked up, so the answer is the same whether or not the thing
    exists.
    """
    if rule.public or (identity is not None and (rule.any_identity or identity.is_installation_admin)):
        return
    resource = "" if rule.scope == INSTALLATION or rule.any_identity else scope_value(request, rule.scope)
    if not may(identity, rule.roles, resource):
        raise _denied(method, resource, rule)


def scope_value(request: Message, scope: str) -> str:
    for path in scope.split("|"):
        value: object = request
        for segment in path.split("."):
            value = getattr(value, segment)
        if value:
            return str(value)
    return ""


def scope_exists(descriptor: Descriptor, scope: str) -> bool:
    """Whether every path of `scope` leads to a string field of the message."""
    return all(_leads_to_string(descriptor, path.split(".")) for path in scope.split("|"))


def _leads_to_string(descriptor: Descriptor, path: list[str]) -> bool:
    field = descriptor.fields_by_name.get(path[0])
    if field is None or field.is_repeated:
        return False
    if len(path) == 1:
        return bool(field.type == field.TYPE_STRING)
    return field.message_type is not None and _leads_to_string(field.message_type, path[1:])


def _denied(method: str, resource: str, rule: Rule) -> PermissionDenied:
    shown = ascii(resource[:200])[1:-1] if resource else "the installation"
    roles = ", ".join(sorted(rule.roles))
    verb = method.rsplit("/", 1)[-1] or "this"
    return PermissionDenied(
        f"{verb} on {shown} is not allowed (or it does not exist); it needs one of these roles: {roles}",
        roles=roles,
    )
