"""Workers that are lost, started again, drained, cordoned: what becomes of their jobs."""

import pytest

from modelyard.scheduler.domain.errors import WorkerReplaced
from modelyard.scheduler.domain.events import (
    WorkerCordoned,
    WorkerHeard,
    WorkerUncordoned,
)
from modelyard.scheduler.domain.jobs import JobState
from tests.unit.scheduler.world import World


def test_a_lease_is_renewed_by_every_sync(world: World) -> None:
    world.sync()
    job = world.submit()
    attempt = world.run(job)
    for _ in range(5):
        world.wait(15)
        world.sync(running=[attempt])
    assert world.state_of(job) is JobState.RUNNING
    world.wait(15)
    world.happen(WorkerHeard(now=world.now, worker="workers/w", instance="i1"))
    world.wait(15)
    assert world.state_of(job) is JobState.RUNNING


def test_a_clock_that_jumps_does_not_end_the_lease_of_a_worker_that_was_just_heard(world: World) -> None:
    world.sync()
    job = world.submit()
    world.run(job)
    world.wait(3600, heard=["workers/w"])
    assert world.state_of(job) is JobState.RUNNING


def test_what_a_lost_worker_may_still_run_keeps_its_devices(world: World) -> None:
    world.sync()
    first = world.submit()
    attempt = world.run(first)
    world.wait(20)
    second = world.submit()
    world.sync(running=[attempt])
    assert world.state_of(second) is JobState.QUEUED
    world.sync()
    assert world.state_of(second) is JobState.ASSIGNED


def test_a_worker_that_was_started_again_has_lost_what_it_does_not_report(world: World) -> None:
    world.sync()
    job = world.submit()
    world.sync(attempts=[world.attempt(job)])
    world.sync(instance="i2")
    assert world.state_of(job) is JobState.QUEUED
    assert world.job(job).losses == 1
    assert world.job(job).not_before is not None


def test_what_a_worker_has_stopped_by_its_own_clock_is_lost_and_tried_again(world: World) -> None:
    world.sync()
    job = world.submit()
    world.run(job)
    world.sync(attempts=[])
    assert world.state_of(job) is JobState.QUEUED
    world.wait(10)
    world.sync()
    assert (world.state_of(job), world.job(job).attempt_number) == (JobState.ASSIGNED, 2)


def test_what_a_worker_never_acknowledged_is_assigned_again_at_once(world: World) -> None:
    world.sync()
    job = world.submit()
    assert world.attempt(job).endswith("/1")
    world.sync(instance="i2")
    assert world.attempt(job).endswith("/2")


def test_a_worker_that_was_started_again_keeps_what_it_reports(world: World) -> None:
    world.sync()
    job = world.submit()
    attempt = world.run(job)
    world.sync(instance="i2", running=[attempt])
    assert world.state_of(job) is JobState.RUNNING
    assert world.job(job).losses == 0


def test_the_older_of_two_processes_under_one_name_is_refused(world: World) -> None:
    world.sync(instance="old")
    world.sync(instance="new")
    with pytest.raises(WorkerReplaced):
        world.sync(instance="old")
    with pytest.raises(WorkerReplaced):
        world.happen(WorkerHeard(now=world.now, worker="workers/w", instance="old"))


def test_a_drained_worker_gives_its_jobs_back_without_a_loss(world: World) -> None:
    world.sync()
    job = world.submit()
    attempt = world.run(job)
    world.drain()
    assert world.state_of(job) is JobState.PREEMPTING
    world.stop(attempt)
    after = world.job(job)
    assert (after.state, after.losses, after.not_before) == (JobState.QUEUED, 0, None)
    world.sync("workers/other")
    assert world.state_of(job) is JobState.ASSIGNED
    assert world.attempt(job).endswith("/2")


def test_a_preempted_job_whose_worker_dies_has_no_loss(world: World) -> None:
    world.sync()
    job = world.submit()
    world.run(job)
    world.drain()
    world.wait(20)
    assert (world.state_of(job), world.job(job).losses) == (JobState.QUEUED, 0)


def test_a_worker_that_leaves_may_stop_its_jobs_by_itself(world: World) -> None:
    world.sync()
    job = world.submit()
    attempt = world.run(job)
    world.sync(running=[attempt], leaving=True)
    assert world.state_of(job) is JobState.RUNNING
    world.stop(attempt)
    assert (world.state_of(job), world.job(job).losses) == (JobState.QUEUED, 0)


def test_a_worker_that_leaves_gives_back_what_it_has_not_begun(world: World) -> None:
    world.sync()
    job = world.submit()
    world.sync(leaving=True)
    assert (world.state_of(job), world.job(job).losses) == (JobState.QUEUED, 0)


def test_a_stop_that_nobody_asked_for_counts_as_a_loss(world: World) -> None:
    world.sync()
    job = world.submit()
    world.stop(world.run(job))
    assert (world.state_of(job), world.job(job).losses) == (JobState.QUEUED, 1)


def test_a_drain_ends_when_the_worker_is_started_again(world: World) -> None:
    world.sync()
    world.drain()
    job = world.submit()
    world.sync()
    assert world.state_of(job) is JobState.QUEUED
    world.sync(instance="i2")
    assert world.state_of(job) is JobState.ASSIGNED


def test_a_cordoned_worker_gets_nothing_until_it_is_uncordoned(world: World) -> None:
    world.sync()
    world.happen(WorkerCordoned(now=world.now, worker="workers/w"))
    job = world.submit()
    world.sync(instance="i2")
    assert world.state_of(job) is JobState.QUEUED
    world.happen(WorkerUncordoned(now=world.now, worker="workers/w"))
    assert world.state_of(job) is JobState.ASSIGNED


def test_a_worker_that_was_lost_for_a_week_leaves_the_list_with_what_it_held(world: World) -> None:
    world.sync()
    world.run(world.submit())
    world.wait(20)
    world.wait(6 * 86_400)
    assert world.state.held
    world.wait(86_400)
    assert not world.state.workers
    assert not world.state.held
