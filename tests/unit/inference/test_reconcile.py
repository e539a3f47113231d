from dataclasses import replace
from datetime import timedelta

from modelyard.inference.domain.deployments import Hold, State, retarget
from modelyard.inference.domain.hosts import Host, HostState, ServedState
from modelyard.inference.domain.reconcile import World, reconcile
from tests.support.installation import NAME, START, Installation, deployment, held, host, version


def serving(*hosts: Host) -> Installation:
    """Version 1 serves on the first host."""
    there = Installation(*(hosts or (host(),)), deployments=(deployment(),))
    there.settle()
    there.obey((hosts or (host(),))[0].name)
    assert there.state() is State.SERVING
    return there


def test_a_deployment_without_a_host_says_how_to_start_one() -> None:
    there = Installation(deployments=(deployment(),))
    assert there.state() is State.PENDING
    assert "modelyard host run" in there.deployment.message
    assert there.plan.routes[0].message == there.deployment.message


def test_a_deployment_goes_to_the_least_loaded_host() -> None:
    other = replace(deployment(), name="projects/default/deployments/other", create_time=START - timedelta(1))
    there = Installation(host("hosts/a"), host("hosts/b"), deployments=(other, deployment()))
    there.settle()
    assert {each.deployment: each.host for each in there.world.assignments} == {
        other.name: "hosts/a",
        NAME: "hosts/b",
    }


def test_nothing_is_assigned_before_the_catalog_holds_the_version() -> None:
    world = World(deployments=(deployment(),), hosts=(host(),))
    plan = reconcile(world, START, START)
    assert plan.world.assignments == ()
    assert list(plan.world.holds) == [Hold(NAME, 0, (version(1).name,))]
    assert plan.world.deployments[0].message == "waits for the catalog to hold the version"


def test_a_version_that_the_catalog_refuses_has_failed() -> None:
    refused = replace(held(1), settled=False, held=(), error="it was deleted")
    plan = reconcile(World((deployment(),), (host(),), (), (refused,)), START, START)
    assert (plan.world.deployments[0].state, plan.world.deployments[0].message) == (State.FAILED, "it was deleted")


def test_a_deployment_passes_through_the_states_of_its_model_server() -> None:
    there = Installation(host(), deployments=(deployment(),))
    there.settle()
    assert (there.deployment.state, there.deployment.message) == (State.PENDING, "hosts/a was asked to serve it")
    there.report("hosts/a", ServedState.FETCHING)
    assert there.state() is State.FETCHING
    there.report("hosts/a", ServedState.LOADING, message="warms up")
    assert (there.deployment.state, there.deployment.message) == (State.LOADING, "warms up")
    assert there.routed() == []
    there.report("hosts/a", ServedState.SERVING)
    assert (there.deployment.state, there.deployment.serving_version) == (State.SERVING, version(1).name)
    assert there.routed() == [(1, 100)]


def test_a_new_version_takes_over_only_when_it_answers() -> None:
    there = serving()
    there.change(retarget(there.deployment, version(2)))
    there.settle()
    assert there.state() is State.UPDATING
    there.report("hosts/a", ServedState.LOADING, 2)
    assert there.routed() == [(1, 100)]
    there.report("hosts/a", ServedState.SERVING, 2)
    assert there.routed() == [(2, 100)]
    assert there.state() is State.SERVING


def test_the_old_version_stops_only_after_every_proxy_could_notice() -> None:
    there = serving()
    there.change(retarget(there.deployment, version(2)))
    there.settle()
    there.obey("hosts/a")
    old = there.assignment(1)
    assert old is not None
    assert (old.active, old.stopping) == (False, False)
    there.after(1.9)
    old = there.assignment(1)
    assert old is not None
    assert not old.stopping
    there.after(0.2)
    old = there.assignment(1)
    assert old is not None
    assert old.stopping
    there.obey("hosts/a")
    assert there.assignment(1) is None
    assert there.routed() == [(2, 100)]


def test_the_catalog_holds_the_old_version_as_long_as_it_answers() -> None:
    there = serving()
    there.change(retarget(there.deployment, version(2)))
    assert list(there.world.holds[0].inputs) == [version(2).name, version(1).name]
    assert there.world.holds[0].attempt == 1
    there.settle()
    there.obey("hosts/a")
    there.settle()
    assert list(there.world.holds[0].inputs) == [version(2).name]
    assert there.world.holds[0].attempt == 2


def test_a_version_that_fails_leaves_the_old_one_answering() -> None:
    there = serving()
    there.change(retarget(there.deployment, version(2)))
    there.settle()
    there.report("hosts/a", ServedState.FAILED, 2, message="the model does not load")
    assert there.state() is State.FAILED
    assert there.deployment.message == "version 1 answers; version 2: the model does not load"
    assert there.routed() == [(1, 100)]
    for _ in range(100):
        there.after(1)
    assert there.routed() == [(1, 100)]
    assert len(there.world.assignments) == 2


def test_a_version_that_failed_is_tried_once_on_each_other_host() -> None:
    there = Installation(host("hosts/a"), host("hosts/b"), deployments=(deployment(),))
    there.settle()
    there.report("hosts/a", ServedState.FAILED, message="the disk is full")
    assert there.assignment(1, "hosts/b") is not None
    assert there.state() is State.PENDING
    there.report("hosts/b", ServedState.FAILED, message="no memory")
    assert (there.deployment.state, there.deployment.message) == (State.FAILED, "no memory")


def test_asking_again_for_a_version_that_failed_tries_again() -> None:
    there = Installation(host(), deployments=(deployment(),))
    there.settle()
    there.report("hosts/a", ServedState.FAILED, message="the disk is full")
    there.change(retarget(there.deployment, version(1)))
    old = there.assignment(1)
    assert old is not None
    assert old.stopping
    there.obey("hosts/a")
    there.settle()
    fresh = there.assignment(1)
    assert fresh is not None
    assert fresh.active
    there.obey("hosts/a")
    assert there.state() is State.SERVING


def test_a_third_version_supersedes_a_second_that_never_answered() -> None:
    there = serving()
    there.change(retarget(there.deployment, version(2)))
    there.settle()
    there.report("hosts/a", ServedState.LOADING, 2)
    there.change(retarget(there.deployment, version(3)))
    second = there.assignment(2)
    assert second is not None
    assert not second.active
    assert there.routed() == [(1, 100)]


def test_going_back_before_the_old_version_was_told_to_stop_keeps_it() -> None:
    there = serving()
    there.change(retarget(there.deployment, version(2)))
    there.settle()
    there.obey("hosts/a")
    assert there.routed() == [(2, 100)]
    there.change(retarget(there.deployment, version(1)))
    there.settle()
    assert there.routed() == [(1, 100)]
    there.after(5)
    assert there.assignment(2) is not None
    assert there.routed() == [(1, 100)]


def test_a_host_that_is_not_heard_of_is_replaced() -> None:
    there = serving(host("hosts/a"), host("hosts/b"))
    silent = frozenset({"hosts/a"})
    there.after(19, silent=silent)
    assert there.assignment(1, "hosts/b") is None
    there.after(2, silent=silent)
    assert there.plan.host_states["hosts/a"] is HostState.LOST
    assert there.assignment(1, "hosts/b") is not None
    assert there.routed() == [(1, 100)], "the proxy may still reach it"
    there.obey("hosts/b")
    assert there.plan.routes[0].backends[0].endpoint.startswith("unix:/hosts/b")
    assert there.assignment(1, "hosts/a") is None


def test_the_only_host_gets_its_work_back_when_it_is_heard_of_again() -> None:
    there = serving()
    there.after(30, silent=frozenset({"hosts/a"}))
    assert there.state() is State.PENDING
    assert "hosts/a was not heard of" in there.deployment.message
    there.after(1)
    assert there.state() is State.SERVING


def test_hosts_are_not_lost_because_this_service_was_away() -> None:
    world = serving().world
    back = START + timedelta(hours=1)
    plan = reconcile(world, back, back)
    assert plan.host_states["hosts/a"] is HostState.READY
    assert plan.routes[0].backends


def test_a_draining_host_serves_until_another_one_does() -> None:
    there = serving(host("hosts/a"), host("hosts/b"))
    there.change_host("hosts/a", drained=True)
    there.settle()
    assert there.assignment(1, "hosts/b") is not None
    assert there.state() is State.SERVING
    there.obey("hosts/b")
    old = there.assignment(1, "hosts/a")
    assert old is not None
    assert not old.active


def test_the_last_host_serves_on_while_it_drains() -> None:
    there = serving()
    there.change_host("hosts/a", leaving=True)
    for _ in range(30):
        there.after(1)
    assert there.routed() == [(1, 100)]


def test_a_model_server_that_died_during_an_update_comes_back() -> None:
    there = serving()
    there.change(retarget(there.deployment, version(2)))
    there.settle()
    there.report("hosts/a", ServedState.LOADING, 2)
    there.report("hosts/a", ServedState.LOADING, 1, message="started again")
    assert there.routed() == []
    there.after(5)
    there.report("hosts/a", ServedState.SERVING, 1)
    assert there.routed() == [(1, 100)]


def test_a_deleted_deployment_leaves_the_routes_first_and_its_hold_last() -> None:
    there = serving()
    there.change(replace(there.deployment, deleting=True))
    assert there.plan.routes == ()
    assert there.state() is State.DELETING
    there.after(2.1)
    assert not there.world.holds[0].closing
    there.obey("hosts/a")
    there.settle()
    assert there.world.deployments == ()
    assert there.world.holds[0].closing


def test_a_deployment_of_the_same_name_is_held_anew() -> None:
    there = Installation(host(), deployments=(deployment(),))
    there.change(replace(there.deployment, deleting=True))
    there.after(2.1)
    there.settle()
    assert there.world.deployments == ()
    assert there.world.holds[0].closing
    there.change(deployment(2))
    assert list(there.world.holds) == [held(2)]


def test_a_host_lost_for_long_is_forgotten() -> None:
    there = Installation(host())
    there.after(20 + 7 * 24 * 3600, silent=frozenset({"hosts/a"}))
    assert there.world.hosts == ()
