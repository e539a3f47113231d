"""Who may call what."""

import pytest

from modelyard.foundation.auth.identity import caller, current_identity, set_current_identity
from modelyard.foundation.auth.policy import (
    ANY_IDENTITY,
    INSTALLATION,
    PUBLIC,
    Rule,
    authorize,
    scope_exists,
    service_rules,
)
from modelyard.foundation.auth.roles import EDITORS, READERS, WORKERS, may
from modelyard.foundation.errors import PermissionDenied, Unauthenticated
from tests.support.echo import Echo
from tests.support.servers import Issuers

ISSUERS = Issuers()
REQUEST = Echo(name="projects/p/datasets/d")
RULES = {
    "read": Rule(READERS, "name"),
    "write": Rule(EDITORS, "name"),
    "work": Rule(WORKERS, INSTALLATION),
    "any": ANY_IDENTITY,
    "public": PUBLIC,
}
MATRIX = {
    # (role, project): what is allowed
    ("viewer", "p"): {"read", "any", "public"},
    ("predictor", "p"): {"any", "public"},
    ("editor", "p"): {"read", "write", "any", "public"},
    ("admin", "p"): {"read", "write", "any", "public"},
    ("admin", "q"): {"any", "public"},
    ("editor", "*"): {"read", "write", "any", "public"},
    ("worker", "p"): {"any", "public"},
    ("worker", "*"): {"work", "any", "public"},
    ("attempt", "p"): {"any", "public"},
    ("admin", "*"): {"read", "write", "work", "any", "public"},
    ("", ""): {"any", "public"},
}


@pytest.mark.parametrize(("role", "project"), MATRIX)
@pytest.mark.parametrize("rule", RULES)
def test_every_cell_of_the_matrix(role: str, project: str, rule: str) -> None:
    identity = ISSUERS.identity(role, project)
    if rule in MATRIX[role, project]:
        authorize(identity, RULES[rule], REQUEST)
    else:
        with pytest.raises(PermissionDenied):
            authorize(identity, RULES[rule], REQUEST)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule != "public"])
def test_nobody_may_only_what_is_public(rule: str) -> None:
    authorize(None, PUBLIC, REQUEST)
    with pytest.raises(PermissionDenied):
        authorize(None, RULES[rule], REQUEST)


@pytest.mark.parametrize(
    "name", ["", "datasets/d", "projects/", "projects/*", "projects/*/x", "projects/P", "../projects/p"]
)
def test_a_name_without_a_project_needs_a_role_in_the_installation(name: str) -> None:
    with pytest.raises(PermissionDenied):
        authorize(ISSUERS.identity("admin", "p"), RULES["read"], Echo(name=name))
    authorize(ISSUERS.identity("viewer", "*"), RULES["read"], Echo(name=name))


def test_the_refusal_speaks_of_the_request_only() -> None:
    with pytest.raises(PermissionDenied) as caught:
        authorize(ISSUERS.identity("viewer", "q"), RULES["write"], REQUEST, "/pkg.Datasets/DeleteDataset")
    assert caught.value.message == (
        "DeleteDataset on projects/p/datasets/d is not allowed (or it does not exist); "
        "it needs one of these roles: admin, editor"
    )


def test_the_first_scope_that_is_set_decides() -> None:
    rule = Rule(READERS, "name|text")
    viewer = ISSUERS.identity("viewer", "p")
    authorize(viewer, rule, Echo(text="projects/p/x"))
    authorize(viewer, rule, Echo(name="projects/p/x", text="projects/q/x"))
    with pytest.raises(PermissionDenied):
        authorize(viewer, rule, Echo(name="projects/q/x", text="projects/p/x"))


@pytest.mark.parametrize(
    ("scope", "exists"),
    [("name", True), ("name|text", True), ("names", False), ("name|x", False), ("name.text", False), ("", False)],
)
def test_a_scope_must_be_a_text_field(scope: str, exists: bool) -> None:
    assert scope_exists(Echo.DESCRIPTOR, scope) is exists


def test_a_use_case_may_ask_too() -> None:
    assert may(ISSUERS.identity("viewer", "p"), READERS, "projects/p/datasets/d")
    assert not may(ISSUERS.identity("viewer", "p"), EDITORS, "projects/p/datasets/d")
    assert not may(None, READERS, "projects/p")


def test_rules_are_keyed_by_full_method() -> None:
    assert list(service_rules("a.B", {"C": PUBLIC})) == ["/a.B/C"]


def test_outside_of_a_call_there_is_no_caller() -> None:
    set_current_identity(None)
    assert caller() is None
    with pytest.raises(Unauthenticated):
        current_identity()
    identity = ISSUERS.act_as("viewer", "p")
    assert current_identity() is identity is caller()
