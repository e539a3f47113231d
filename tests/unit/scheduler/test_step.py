"""What happens to jobs, event by event."""

from datetime import timedelta

import pytest

from modelyard.scheduler.domain.errors import StaleAttempt
from modelyard.scheduler.domain.events import (
    AttemptCompleted,
    AttemptMoved,
)
from modelyard.scheduler.domain.jobs import AttemptState, FailureClass, JobState, StopReason
from tests.unit.scheduler.world import World


def test_a_job_goes_from_the_queue_to_success(world: World) -> None:
    job = world.submit()
    assert world.state_of(job) is JobState.QUEUED
    world.sync()
    assert world.state_of(job) is JobState.ASSIGNED
    world.sync(attempts=[world.attempt(job)])
    assert world.state_of(job) is JobState.PREPARING
    attempt = world.run(job)
    assert world.state_of(job) is JobState.RUNNING
    world.complete(attempt)
    assert world.state_of(job) is JobState.SUCCEEDED
    assert world.job(job).model_version == "projects/p/models/m/versions/1"
    assert job not in world.state.jobs


def test_a_worker_gets_the_next_job_as_soon_as_the_last_one_ends(world: World) -> None:
    world.sync()
    first, second = world.submit(), world.submit()
    assert (world.state_of(first), world.state_of(second)) == (JobState.ASSIGNED, JobState.QUEUED)
    world.complete(world.run(first))
    assert world.state_of(second) is JobState.ASSIGNED


def test_a_lost_worker_costs_ten_twenty_and_then_the_job(world: World) -> None:
    world.sync()
    job = world.submit()
    for wait in (10, 20):
        world.run(job)
        world.wait(20)
        assert world.state_of(job) is JobState.QUEUED
        assert world.job(job).not_before == world.now + timedelta(seconds=wait)
        world.wait(wait - 1)
        world.sync()
        assert world.state_of(job) is JobState.QUEUED
        world.wait(1)
    assert world.job(job).attempt_number == 3
    world.run(job)
    world.wait(20)
    ended = world.job(job)
    assert (ended.state, ended.attempt_number) == (JobState.FAILED, 3)
    assert ended.failure is not None
    assert ended.failure.kind is FailureClass.WORKER_LOST
    assert "tried 3 times" in ended.failure.message


def test_a_job_that_gets_further_each_time_is_not_given_up(world: World) -> None:
    world.sync()
    job = world.submit()
    for step in range(10, 80, 10):
        attempt = world.run(job)
        world.checkpoint(attempt, step)
        world.complete(attempt, FailureClass.STORAGE)
        assert world.job(job).losses == 1
        world.wait(10)
        world.sync()


def test_a_job_that_only_comes_back_to_its_checkpoint_is_given_up(world: World) -> None:
    world.sync()
    job = world.submit()
    for wait in (10, 20, 0):
        attempt = world.run(job)
        world.checkpoint(attempt, 500)
        world.checkpoint(attempt, 400)
        world.complete(attempt, FailureClass.STORAGE)
        world.wait(wait)
        world.sync()
    ended = world.job(job)
    assert (ended.state, ended.attempt_number) == (JobState.FAILED, 3)
    assert ended.failure is not None
    assert ended.failure.message == "tried 3 times since the checkpoint of step 500; the last time: it broke"


def test_what_an_attempt_that_is_over_says_of_checkpoints_is_refused(world: World) -> None:
    world.sync()
    job = world.submit()
    attempt = world.run(job)
    world.complete(attempt)
    with pytest.raises(StaleAttempt):
        world.checkpoint(attempt, 1)


OURS = (FailureClass.STORAGE, FailureClass.INTERNAL, FailureClass.WORKER_LOST)


@pytest.mark.parametrize("kind", [kind for kind in FailureClass if kind not in OURS])
def test_a_failure_that_is_not_ours_is_not_tried_again(world: World, kind: FailureClass) -> None:
    world.sync()
    job = world.submit()
    world.complete(world.run(job), kind)
    assert world.state_of(job) is JobState.FAILED
    assert world.job(job).attempt_number == 1


@pytest.mark.parametrize("kind", [FailureClass.STORAGE, FailureClass.INTERNAL])
def test_a_failure_that_is_ours_is_tried_again_like_a_lost_worker(world: World, kind: FailureClass) -> None:
    world.sync()
    job = world.submit(max_attempts=2)
    world.complete(world.run(job), kind)
    assert world.job(job).not_before == world.now + timedelta(seconds=10)
    world.wait(10)
    world.complete(world.run(job), kind)
    failure = world.job(job).failure
    assert failure is not None
    assert failure.kind is kind


def test_nothing_a_stale_attempt_says_counts(world: World) -> None:
    world.sync()
    job = world.submit()
    attempt = world.run(job)
    world.wait(20)
    for event in (
        AttemptMoved(now=world.now, attempt=attempt, state=AttemptState.RUNNING),
        AttemptCompleted(now=world.now, attempt=attempt, outcome=AttemptState.SUCCEEDED, model_version="v"),
    ):
        before = world.state
        with pytest.raises(StaleAttempt):
            world.happen(event)
        assert world.state == before


def test_a_queued_job_is_cancelled_at_once(world: World) -> None:
    job = world.submit()
    world.cancel(job)
    assert world.state_of(job) is JobState.CANCELLED


def test_a_running_job_is_cancelled_when_its_worker_has_stopped_it(world: World) -> None:
    world.sync()
    job = world.submit()
    attempt = world.run(job)
    world.cancel(job)
    world.cancel(job)
    assert world.state_of(job) is JobState.CANCELLING
    world.stop(attempt)
    assert world.state_of(job) is JobState.CANCELLED


def test_a_job_cancelled_before_its_worker_knew_of_it_ends_with_the_next_sync(world: World) -> None:
    world.sync()
    job = world.submit()
    world.cancel(job)
    assert world.state_of(job) is JobState.CANCELLING
    world.sync()
    assert world.state_of(job) is JobState.CANCELLED


def test_a_cancelled_job_whose_worker_is_lost_is_cancelled(world: World) -> None:
    world.sync()
    job = world.submit()
    world.run(job)
    world.cancel(job)
    world.wait(20)
    assert world.state_of(job) is JobState.CANCELLED


def test_a_version_registered_while_the_job_was_called_off_makes_it_a_success(world: World) -> None:
    world.sync()
    job = world.submit()
    attempt = world.run(job)
    world.cancel(job)
    world.complete(attempt)
    assert world.state_of(job) is JobState.SUCCEEDED


def test_a_failure_while_cancelling_is_a_cancelled_job(world: World) -> None:
    world.sync()
    job = world.submit()
    attempt = world.run(job)
    world.cancel(job)
    world.complete(attempt, FailureClass.USER_CODE)
    assert world.state_of(job) is JobState.CANCELLED


def test_an_attempt_that_does_not_stop_is_lost_and_keeps_its_devices(world: World) -> None:
    world.sync()
    job = world.submit()
    attempt = world.run(job)
    world.cancel(job)
    for _ in range(5):
        world.wait(10)
        world.sync(running=[attempt])
    assert world.state_of(job) is JobState.CANCELLED
    after = world.submit()
    assert world.state_of(after) is JobState.QUEUED
    world.sync()
    assert world.state_of(after) is JobState.ASSIGNED


def test_a_job_that_runs_too_long_is_stopped_and_fails(world: World) -> None:
    world.sync()
    job = world.submit(max_runtime_s=60)
    attempt = world.run(job)
    for _ in range(6):
        world.wait(10)
        world.sync(running=[attempt])
    current = world.job(job).attempt
    assert current is not None
    assert (world.state_of(job), current.stop) == (JobState.RUNNING, StopReason.TIMEOUT)
    world.stop(attempt)
    failure = world.job(job).failure
    assert failure is not None
    assert failure.kind is FailureClass.TIMEOUT


def test_max_runtime_also_ends_while_the_job_waits_for_its_next_attempt(world: World) -> None:
    world.sync()
    job = world.submit(max_runtime_s=25)
    world.run(job)
    world.wait(20)
    assert world.state_of(job) is JobState.QUEUED
    world.wait(5)
    failure = world.job(job).failure
    assert failure is not None
    assert failure.kind is FailureClass.TIMEOUT


def test_a_job_that_was_not_started_in_time_expires(world: World) -> None:
    job = world.submit(max_queue_s=30)
    world.wait(29)
    assert world.state_of(job) is JobState.QUEUED
    world.wait(1)
    assert world.state_of(job) is JobState.EXPIRED


def test_a_job_that_has_been_started_does_not_expire(world: World) -> None:
    world.sync()
    job = world.submit(max_queue_s=15)
    world.run(job)
    world.wait(20)
    world.wait(5)
    assert world.state_of(job) is JobState.QUEUED
