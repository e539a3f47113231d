"""Who gets which devices, and what the others are told."""

import pytest

from modelyard.scheduler.domain.devices import Ask, Device, DeviceKind
from modelyard.scheduler.domain.events import WorkerAway
from modelyard.scheduler.domain.jobs import JobState
from modelyard.scheduler.domain.placement import Pending, PendingReason, survey
from tests.unit.scheduler.world import CPU, World, gpus


@pytest.fixture
def world() -> World:
    return World()


def pending(world: World, job: str) -> Pending:
    return survey(world.state, world.now).pending[job]


def devices(world: World, job: str) -> list[tuple[DeviceKind, int]]:
    attempt = world.job(job).attempt
    assert attempt is not None
    return [device.key for device in attempt.devices]


def test_jobs_of_equal_priority_go_in_the_order_of_creation(world: World) -> None:
    jobs = [world.submit() for _ in range(3)]
    world.sync()
    assert [world.state_of(job) for job in jobs] == [JobState.ASSIGNED, JobState.QUEUED, JobState.QUEUED]


def test_higher_priority_goes_first(world: World) -> None:
    low, high = world.submit(), world.submit(priority=1)
    world.sync()
    assert (world.state_of(low), world.state_of(high)) == (JobState.QUEUED, JobState.ASSIGNED)


def test_a_worker_with_four_gpus_runs_what_fits(world: World) -> None:
    jobs = [world.submit(ask=Ask(DeviceKind.GPU, count)) for count in (2, 1, 1, 1)]
    world.sync(devices=gpus(4))
    assert [world.state_of(job) for job in jobs] == [JobState.ASSIGNED] * 3 + [JobState.QUEUED]
    assert sorted(devices(world, jobs[0]) + devices(world, jobs[1]) + devices(world, jobs[2])) == [
        (DeviceKind.GPU, index) for index in range(4)
    ]


def test_a_job_that_fits_nowhere_holds_up_nobody(world: World) -> None:
    huge, small = world.submit(ask=Ask(DeviceKind.GPU, 8)), world.submit()
    world.sync()
    assert world.state_of(small) is JobState.ASSIGNED
    assert pending(world, huge) == Pending(
        PendingReason.NO_MATCHING_WORKER, "it needs 8 GPUs; no connected worker has that (w: 1 CPU)", 0
    )


def test_a_job_that_waits_for_its_devices_is_not_overtaken_there(world: World) -> None:
    first = world.submit(ask=Ask(DeviceKind.GPU, 1))
    world.sync(devices=gpus(2) + CPU)
    big = world.submit(ask=Ask(DeviceKind.GPU, 2))
    small = world.submit(ask=Ask(DeviceKind.GPU, 1))
    on_cpu = world.submit(ask=Ask(DeviceKind.CPU, 1))
    assert world.state_of(on_cpu) is JobState.ASSIGNED
    assert (pending(world, big).reason, pending(world, big).jobs_ahead) == (PendingReason.WORKERS_BUSY, 0)
    assert (pending(world, small).reason, pending(world, small).jobs_ahead) == (PendingReason.BEHIND_OTHERS, 1)
    world.complete(world.run(first))
    assert world.state_of(big) is JobState.ASSIGNED


def test_a_job_in_backoff_holds_up_nobody(world: World) -> None:
    world.sync()
    first = world.submit()
    attempt = world.run(first)
    world.sync(instance="i2")
    second = world.submit()
    assert world.state_of(second) is JobState.ASSIGNED
    assert attempt.endswith("/1")
    reason = pending(world, first)
    assert reason.reason is PendingReason.BACKOFF
    assert "1 of 3" in reason.message


def test_any_device_means_a_gpu_where_one_is_free(world: World) -> None:
    jobs = [world.submit() for _ in range(3)]
    world.sync("workers/cpu")
    world.sync("workers/gpu", devices=CPU + gpus(1))
    assert devices(world, jobs[0]) == [(DeviceKind.CPU, 0)]
    assert devices(world, jobs[1]) == [(DeviceKind.GPU, 0)]
    assert devices(world, jobs[2]) == [(DeviceKind.CPU, 0)]


def test_a_device_tensorflow_cannot_use_is_given_to_nobody(world: World) -> None:
    broken = Device(DeviceKind.GPU, 0, problem="the driver is too old")
    job = world.submit(ask=Ask(DeviceKind.GPU, 1))
    world.sync(devices=(broken, *CPU))
    assert pending(world, job) == Pending(
        PendingReason.NO_MATCHING_WORKER,
        "it needs 1 GPU; no connected worker has that (w: 1 CPU); w has a GPU, but the driver is too old",
        0,
    )


def test_the_tightest_fit_is_taken(world: World) -> None:
    world.sync("workers/big", devices=gpus(4))
    world.sync("workers/small", devices=gpus(1))
    job = world.submit(ask=Ask(DeviceKind.GPU, 1))
    assert world.attempt(job) in {attempt.name for attempt in world.state.attempts_on("workers/small")}


def test_a_worker_whose_connection_broke_gets_nothing_new(world: World) -> None:
    world.sync()
    world.happen(WorkerAway(now=world.now, worker="workers/w", instance="i1"))
    job = world.submit()
    assert pending(world, job).reason is PendingReason.WORKERS_BUSY
    world.sync()
    assert world.state_of(job) is JobState.ASSIGNED


def test_without_workers_the_job_says_how_to_start_one(world: World) -> None:
    job = world.submit()
    assert "modelyard worker run" in pending(world, job).message
