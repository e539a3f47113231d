"""TrainerService: what a worker says of itself on its own machine."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from modelyard.api.scheduler.v1 import device_pb2, job_pb2, worker_pb2
from modelyard.api.trainer.v1 import trainer_service_pb2 as pb
from modelyard.api.trainer.v1 import trainer_service_pb2_grpc as rpc
from modelyard.trainer.attempt import AttemptRun
from modelyard.trainer.domain import Device, Found, Outcome
from modelyard.trainer.orders import Assignment, Orders, Seen
from modelyard.trainer.reporter import Report, Reporter
from modelyard.trainer.service import Running, Worker
from modelyard.trainer.servicer import RULES, TrainerServicer
from modelyard.trainer.work import Work
from modelyard.trainer.workspace import Workspace
from tests.support.eventually import eventually
from tests.support.servers import Served, serving

ATTEMPT = "projects/p/jobs/j/attempts/1"
CPU = Device("cpu", 0, "a CPU")
BROKEN = Device("gpu", 0, "a GPU", problem="TensorFlow can't use this GPU")
State = worker_pb2.Worker


class Scheduler:
    """Gives out one attempt, and waits for news after that."""

    async def sync(self, found: Found, seen: list[Seen], *, draining: bool, wait: bool) -> Orders:
        if wait:
            await asyncio.Event().wait()
        return Orders((Assignment(ATTEMPT, "t", {}, "", "", "", (CPU,), "token"),), (), 20.0, False)

    async def complete(self, attempt: str, outcome: Outcome) -> None:
        """It is told, and that is all."""

    async def report(self, report: Report) -> None:
        """Likewise."""


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """A worker that runs an attempt which waits for its catalog."""
    scheduler = Scheduler()

    def start(assignment: Assignment) -> Running:
        work = Work(assignment.attempt, "", "", "", assignment.devices, 0, 0)
        reporter = Reporter(assignment.attempt, scheduler)
        away: Any = Away()
        run = AttemptRun(work, Workspace(tmp_path, assignment.attempt), away, away, reporter)
        return Running(run, reporter, lambda token: None, lambda: None)

    worker = Worker(Found((CPU, BROKEN), "2.21.0"), scheduler, start, stop_grace_s=5.0)
    working = asyncio.create_task(worker.run())
    await eventually(lambda: ATTEMPT in worker.running)
    servicer = TrainerServicer(worker, "gpu-1")
    try:
        async with serving(tmp_path, [(rpc.add_TrainerServiceServicer_to_server, servicer)], RULES) as served:
            yield served
    finally:
        worker.leave()
        await asyncio.wait((working,))


class Away:
    """A catalog that never answers."""

    async def begin(self, reporter: Reporter) -> None:
        await asyncio.Event().wait()


@pytest.fixture
async def trainer(served: Served) -> AsyncIterator["rpc.TrainerServiceAsyncStub"]:
    async with served.channel() as channel:
        yield rpc.TrainerServiceStub(channel)


async def test_it_says_what_it_is_and_what_it_runs(trainer: "rpc.TrainerServiceAsyncStub") -> None:
    worker = await trainer.GetWorker(pb.GetWorkerRequest())
    assert worker.name == "workers/gpu-1"
    assert worker.state == State.STATE_BUSY
    assert worker.tensorflow_version == "2.21.0"
    (attempt,) = (await trainer.ListAttempts(pb.ListAttemptsRequest())).attempts
    assert attempt.name == ATTEMPT
    assert attempt.state == job_pb2.Attempt.STATE_PREPARING
    assert [device.kind for device in attempt.devices] == [device_pb2.DEVICE_KIND_CPU]


async def test_a_gpu_that_tensorflow_cannot_use_is_listed_with_the_reason(
    trainer: "rpc.TrainerServiceAsyncStub",
) -> None:
    cpu, gpu = (await trainer.ListDevices(pb.ListDevicesRequest())).devices
    assert (cpu.kind, cpu.problem) == (device_pb2.DEVICE_KIND_CPU, "")
    assert (gpu.kind, gpu.problem) == (device_pb2.DEVICE_KIND_GPU, BROKEN.problem)


async def test_drain_stops_what_runs_and_the_worker_stays(trainer: "rpc.TrainerServiceAsyncStub") -> None:
    assert (await trainer.Drain(pb.DrainRequest())).state == State.STATE_DRAINING

    async def idle() -> bool:
        return not (await trainer.ListAttempts(pb.ListAttemptsRequest())).attempts

    await eventually(idle)
    assert (await trainer.GetWorker(pb.GetWorkerRequest())).state == State.STATE_DRAINING


@pytest.mark.parametrize(("role", "allowed"), [("viewer", False), ("admin", True), ("worker", True)])
async def test_only_administrators_and_workers_may_drain(served: Served, role: str, allowed: bool) -> None:
    async with served.channel(served.issuers.token(role)) as channel:
        stub = rpc.TrainerServiceStub(channel)
        if allowed:
            await stub.Drain(pb.DrainRequest())
        else:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.Drain(pb.DrainRequest())
            assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
