"""Which model server answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.foundation.errors import ModelyardError
from modelyard.proxy.domain import (
    Backend,
    ModelSpec,
    Route,
    RouteTable,
    choose,
    deployment_of,
    find,
    one_of_each_version,
    table_of,
)
from modelyard.proxy.errors import (
    BadRequest,
    DeploymentNotFound,
    LabelNotServed,
    NothingServes,
    RoutesUnknown,
    VersionNotServed,
)

OLD, NEW, SPARE = Backend(1, "unix:/1", 10), Backend(2, "unix:/2", 90), Backend(2, "unix:/3", 0)
ROUTE = Route("digits", "projects/default/deployments/digits", (OLD, NEW, SPARE))
DIGITS = ModelSpec("digits")


def test_requests_without_a_version_are_spread_by_weight() -> None:
    chosen = [choose(ROUTE, DIGITS, draw / 1000) for draw in range(1000)]

    assert (chosen.count(OLD), chosen.count(NEW), chosen.count(SPARE)) == (100, 900, 0)


def test_a_version_is_answered_by_all_its_model_servers_whatever_their_weight() -> None:
    chosen = {choose(ROUTE, ModelSpec("digits", 2), draw / 10) for draw in range(10)}

    assert chosen == {NEW, SPARE}


def test_what_just_failed_is_avoided() -> None:
    assert choose(ROUTE, DIGITS, 0.5, avoid=["unix:/2"]) == OLD
    with pytest.raises(NothingServes):
        choose(ROUTE, DIGITS, 0.5, avoid=["unix:/1", "unix:/2"])


@pytest.mark.parametrize(
    ("spec", "error"), [(ModelSpec("digits", 3), VersionNotServed), (ModelSpec("digits", None, "x"), LabelNotServed)]
)
def test_what_is_not_served_says_what_is(spec: ModelSpec, error: type[ModelyardError]) -> None:
    with pytest.raises(error, match="2, 1"):
        choose(ROUTE, spec, 0.0)


def test_a_route_with_no_weight_at_all_answers_only_who_names_a_version() -> None:
    route = Route("digits", "projects/default/deployments/digits", (SPARE,))

    assert choose(route, ModelSpec("digits", 2), 0.0) == SPARE
    with pytest.raises(NothingServes, match="no model server is ready"):
        choose(route, DIGITS, 0.0)


def test_one_model_server_of_each_version_newest_first() -> None:
    assert [backend.version for backend in one_of_each_version(ROUTE, DIGITS, 0.0)] == [2, 1]
    assert one_of_each_version(ROUTE, ModelSpec("digits", 1), 0.0) == [OLD]


def test_before_the_first_table_nothing_is_said_to_be_missing() -> None:
    with pytest.raises(RoutesUnknown):
        find(RouteTable(), DIGITS)
    with pytest.raises(DeploymentNotFound):
        find(table_of([], 0), DIGITS)
    assert find(table_of([ROUTE], 1), DIGITS) == ROUTE


@pytest.mark.parametrize(
    ("name", "deployment"),
    [("digits", "projects/default/deployments/digits"), ("p.digits", "projects/p/deployments/digits")],
)
def test_a_serving_name_is_a_deployments_name(name: str, deployment: str) -> None:
    assert deployment_of(name) == deployment


@pytest.mark.parametrize("name", ["", ".", "a.", ".b", "a.b.c", "../x", "A", "a/b", "a" * 64, "a\n", "*.b", "x" * 9999])
def test_a_name_that_no_deployment_can_have_is_invalid(name: str) -> None:
    with pytest.raises(BadRequest) as caught:
        deployment_of(name)
    assert caught.value.field == "model_spec.name"
    assert len(caught.value.message) < 300


@given(
    st.lists(st.integers(0, 100), min_size=1, max_size=5).filter(any),
    st.floats(0, 1, exclude_max=True),
)
def test_only_what_has_weight_is_chosen(weights: list[int], draw: float) -> None:
    backends = tuple(Backend(n, f"unix:/{n}", weight) for n, weight in enumerate(weights))

    assert choose(Route("r", "d", backends), ModelSpec("r"), draw).weight > 0
