"""Jobs that ask for no device: one at a time on a worker, and nobody else notices."""

import pytest

from modelyard.scheduler.domain.devices import Ask, DeviceKind
from modelyard.scheduler.domain.events import WorkerAway, WorkerCordoned
from modelyard.scheduler.domain.jobs import FailureClass, JobState
from modelyard.scheduler.domain.placement import Pending, PendingReason, survey
from tests.unit.scheduler.world import CPU, World, gpus


@pytest.fixture
def world() -> World:
    return World()


def pending(world: World, job: str) -> Pending:
    return survey(world.state, world.now).pending[job]


def worker_of(world: World, job: str) -> str:
    attempt = world.job(job).attempt
    assert attempt is not None
    assert attempt.devices == ()
    return attempt.worker


def test_it_runs_on_a_worker_whose_devices_are_all_taken(world: World) -> None:
    world.sync()
    training = world.submit()
    profile = world.submit_beside()
    assert world.state_of(training) is JobState.ASSIGNED
    assert worker_of(world, profile) == "workers/w"


def test_one_that_runs_takes_no_device_from_a_job_that_comes_later(world: World) -> None:
    world.sync()
    world.run(world.submit_beside(priority=9))
    assert world.state_of(world.submit()) is JobState.ASSIGNED


def test_a_worker_runs_one_at_a_time(world: World) -> None:
    world.sync(devices=gpus(4))
    first, second, third = (world.submit_beside() for _ in range(3))
    assert [world.state_of(job) for job in (first, second)] == [JobState.ASSIGNED, JobState.QUEUED]
    assert pending(world, second) == Pending(
        PendingReason.WORKERS_BUSY,
        "it runs beside other jobs, one at a time on a worker; 0 such jobs before it",
        0,
    )
    assert (pending(world, third).reason, pending(world, third).jobs_ahead) == (PendingReason.BEHIND_OTHERS, 1)
    world.complete(world.run(first))
    assert world.state_of(second) is JobState.ASSIGNED


def test_each_worker_runs_one_and_the_idle_ones_first(world: World) -> None:
    world.sync("workers/a", devices=CPU)
    world.submit()
    world.sync("workers/b", devices=gpus(2))
    assert [worker_of(world, world.submit_beside()) for _ in range(2)] == ["workers/b", "workers/a"]


def test_a_worker_without_a_usable_device_runs_it_too(world: World) -> None:
    world.sync(devices=())
    assert worker_of(world, world.submit_beside()) == "workers/w"


def test_queued_ones_are_not_among_the_jobs_before_another(world: World) -> None:
    for _ in range(3):
        world.submit_beside()
    first, second = world.submit(ask=Ask(DeviceKind.GPU, 1)), world.submit(ask=Ask(DeviceKind.GPU, 1))
    world.sync(devices=gpus(1))
    assert world.state_of(first) is JobState.ASSIGNED
    assert pending(world, second).jobs_ahead == 0


def test_without_a_worker_it_waits_and_says_so(world: World) -> None:
    job = world.submit_beside()
    assert pending(world, job).reason is PendingReason.NO_MATCHING_WORKER
    assert "a worker to run beside other jobs on; no worker that takes jobs is connected" in pending(world, job).message


def test_neither_an_absent_nor_a_cordoned_worker_gets_one(world: World) -> None:
    world.sync()
    world.happen(WorkerAway(now=world.now, worker="workers/w", instance="i1"))
    job = world.submit_beside()
    assert world.state_of(job) is JobState.QUEUED
    world.happen(WorkerCordoned(now=world.now, worker="workers/w"))
    world.sync()
    assert world.state_of(job) is JobState.QUEUED


def test_a_lost_one_that_may_still_run_keeps_its_place(world: World) -> None:
    world.sync()
    first = world.submit_beside()
    attempt = world.run(first)
    world.wait(30)
    assert world.job(first).attempt is None
    world.sync(running=[attempt])
    second = world.submit_beside()
    assert world.state_of(second) is JobState.QUEUED
    world.sync()
    assert world.state_of(second) is JobState.ASSIGNED


def test_one_that_fails_is_not_tried_again_and_a_lost_one_only_so_often(world: World) -> None:
    world.sync()
    broken = world.submit_beside()
    world.complete(world.run(broken), FailureClass.INVALID_DATA)
    assert world.state_of(broken) is JobState.FAILED
    unlucky = world.submit_beside()
    for _ in range(3):
        world.complete(world.run(unlucky), FailureClass.INTERNAL)
        world.wait(1, heard=["workers/w"])
        world.now = world.job(unlucky).not_before or world.now
        world.wait(1, heard=["workers/w"])
        world.sync()
    assert world.state_of(unlucky) is JobState.FAILED
