"""WorkerSyncService and WorkerService, as workers and administrators see them."""

import asyncio
import time
from typing import Any

import grpc
import pytest

from modelyard.api.scheduler.v1 import (
    device_pb2,
    job_pb2,
    job_service_pb2,
    worker_pb2,
    worker_service_pb2,
    worker_sync_service_pb2,
)
from modelyard.foundation.rpc.status import failure_of
from tests.support.dataset_catalog import PROJECT
from tests.support.eventually import eventually
from tests.support.scheduling import Scheduler
from tests.support.scripted_worker import ScriptedWorker

State = job_pb2.Job.State
Stop = worker_sync_service_pb2.StopCommand


async def cancel(scheduler: Scheduler, name: str) -> job_pb2.Job:
    return await scheduler.jobs.CancelJob(job_service_pb2.CancelJobRequest(name=name))


async def test_a_parked_sync_answers_as_soon_as_there_is_a_job(scheduler: Scheduler) -> None:
    async with scheduler.worker() as worker:
        await worker.sync()
        parked = asyncio.create_task(worker.sync(10.0))
        await asyncio.sleep(0.2)
        assert not parked.done()
        began = time.monotonic()
        job = await scheduler.submit()
        answer = await parked
        assert time.monotonic() - began < 1.0
        assert [one.attempt for one in answer.assignments] == [f"{job.name}/attempts/1"]
        assert answer.assignments[0].spec == job.spec
        assert [device.kind for device in answer.assignments[0].devices] == [device_pb2.DEVICE_KIND_CPU]
        assert answer.lease.seconds == 20


async def test_a_sync_that_does_not_know_the_newest_answer_is_answered_at_once(scheduler: Scheduler) -> None:
    job = await scheduler.submit()
    async with scheduler.worker() as worker:
        first = await worker.sync(10.0)
        worker.cursor = ""
        began = time.monotonic()
        again = await worker.sync(10.0)
        assert time.monotonic() - began < 1.0
        assert again.assignments[0].attempt == first.assignments[0].attempt == f"{job.name}/attempts/1"


async def test_an_attempts_token_speaks_for_that_attempt_alone(scheduler: Scheduler) -> None:
    job = await scheduler.submit()
    async with scheduler.worker() as worker:
        assignment = await worker.take()
        identity = scheduler.served.issuers.verifier().verify(assignment.token)
        assert identity.issuer == "scheduler"
        assert identity.subject == assignment.attempt == f"{job.name}/attempts/1"
        assert dict(identity.projects) == {"p": "attempt"}
        left = assignment.token_expire_time.seconds - time.time()
        assert 600 < left <= 900


async def test_a_cancelled_attempt_is_stopped_and_its_job_ends_when_it_has(scheduler: Scheduler) -> None:
    job = await scheduler.submit()
    async with scheduler.worker() as worker:
        attempt = (await worker.take()).attempt
        parked = asyncio.create_task(worker.sync(10.0))
        await asyncio.sleep(0.1)
        assert (await cancel(scheduler, job.name)).state == State.STATE_CANCELLING
        answer = await parked
        assert [(one.attempt, one.reason) for one in answer.stops] == [(attempt, Stop.REASON_CANCELLED)]
        assert not answer.assignments
        await worker.complete(attempt, job_pb2.Attempt.STATE_STOPPED)
        assert (await scheduler.job(job.name)).state == State.STATE_CANCELLED


async def test_an_attempt_that_is_no_longer_the_workers_is_stopped_at_once(scheduler: Scheduler) -> None:
    async with scheduler.worker() as worker:
        worker.runs[f"{PROJECT}/jobs/gone/attempts/3"] = job_pb2.Attempt.STATE_RUNNING
        answer = await worker.sync(10.0)
        assert [(one.attempt, one.reason) for one in answer.stops] == [
            (f"{PROJECT}/jobs/gone/attempts/3", Stop.REASON_STALE)
        ]


async def test_a_second_process_of_one_name_ends_the_first_one(scheduler: Scheduler) -> None:
    async with scheduler.worker(instance="old") as old, scheduler.worker(instance="new") as new:
        await old.sync()
        parked = asyncio.create_task(old.sync(10.0))
        await asyncio.sleep(0.1)
        await new.sync()
        for call in (parked, old.sync()):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() is grpc.StatusCode.ABORTED
            assert failure_of(caught.value).reason == "WORKER_REPLACED"


async def test_a_worker_that_was_started_again_is_given_its_job_as_a_new_attempt(scheduler: Scheduler) -> None:
    job = await scheduler.submit()
    async with scheduler.worker() as worker, scheduler.worker(instance="instance-2") as again:
        first = (await worker.take()).attempt
        await again.sync()
        waiting = await scheduler.job(job.name)
        assert waiting.state == State.STATE_QUEUED
        assert waiting.pending_reason == job_pb2.Job.PENDING_REASON_BACKOFF
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await worker.report(first)
        assert failure_of(caught.value).reason == "STALE_ATTEMPT"
        for outcome in (job_pb2.Attempt.STATE_SUCCEEDED, job_pb2.Attempt.STATE_STOPPED):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await worker.complete(first, outcome)
            assert caught.value.code() is grpc.StatusCode.ABORTED


async def test_logs_and_metrics_are_read_by_cursor_and_end_with_the_job(scheduler: Scheduler) -> None:
    job = await scheduler.submit()
    lines: list[job_pb2.LogEntry] = []
    points: list[job_pb2.MetricPoint] = []

    async def follow_logs() -> None:
        async for line in scheduler.jobs.StreamLogs(job_service_pb2.StreamLogsRequest(name=job.name, follow=True)):
            lines.append(line)

    async def follow_metrics() -> None:
        request = job_service_pb2.StreamMetricsRequest(name=job.name, follow=True)
        async for point in scheduler.jobs.StreamMetrics(request):
            points.append(point)

    following = [asyncio.create_task(follow_logs()), asyncio.create_task(follow_metrics())]
    async with scheduler.worker() as worker:
        attempt = (await worker.take()).attempt
        entries = [job_pb2.LogEntry(text=f"line {number}") for number in range(4)]
        await worker.report(attempt, logs=entries[:2], sequence=1)
        await worker.report(attempt, logs=entries[:2], sequence=1)
        await worker.report(attempt, logs=entries[2:], sequence=2)
        value = job_pb2.MetricPoint(step=10, metric="loss", value=float("nan"))
        await worker.report(
            attempt, metrics=[value, job_pb2.MetricPoint(step=20, metric="loss", value=0.5)], sequence=3
        )
        await worker.complete(attempt)
        await asyncio.wait_for(asyncio.gather(*following), 5)
    assert [line.text for line in lines] == [f"line {number}" for number in range(4)]
    assert [line.cursor for line in lines] == [1, 2, 3, 4]
    assert points[0].value != points[0].value
    assert (points[1].step, points[1].value, points[1].attempt) == (20, 0.5, 1)
    rest = job_service_pb2.StreamLogsRequest(name=job.name, cursor=2)
    assert [line.text async for line in scheduler.jobs.StreamLogs(rest)] == ["line 2", "line 3"]


async def test_a_line_without_end_is_cut(scheduler: Scheduler) -> None:
    job = await scheduler.submit()
    async with scheduler.worker() as worker:
        attempt = (await worker.take()).attempt
        await worker.report(attempt, logs=[job_pb2.LogEntry(text="x" * 100_000)])
        request = job_service_pb2.StreamLogsRequest(name=job.name)
        assert [len(line.text) async for line in scheduler.jobs.StreamLogs(request)] == [4096]


async def test_success_needs_a_version_of_the_jobs_model(scheduler: Scheduler) -> None:
    await scheduler.submit()
    async with scheduler.worker() as worker:
        attempt = (await worker.take()).attempt
        for version in ("", f"{PROJECT}/models/other/versions/1", "nonsense"):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await worker.complete(attempt, model_version=version)
            assert list(failure_of(caught.value).fields) == ["model_version"]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await worker.complete(attempt, job_pb2.Attempt.STATE_FAILED)
        assert list(failure_of(caught.value).fields) == ["failure_class"]


async def test_a_worker_speaks_for_itself_alone(scheduler: Scheduler) -> None:
    await scheduler.submit()
    async with scheduler.worker() as worker, scheduler.worker("other") as other:
        attempt = (await worker.take()).attempt
        other.name = "workers/w"
        for call in (other.sync(), other.report(attempt), other.complete(attempt)):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_a_drained_worker_is_told_and_its_job_goes_on_elsewhere(scheduler: Scheduler) -> None:
    job = await scheduler.submit()
    async with scheduler.worker() as worker, scheduler.worker("other") as other:
        attempt = (await worker.take()).attempt
        await worker.run(attempt)
        drained = await scheduler.workers.DrainWorker(worker_service_pb2.DrainWorkerRequest(name="workers/w"))
        assert drained.state == worker_pb2.Worker.STATE_DRAINING
        answer = await worker.sync(10.0)
        assert answer.drain
        assert [(one.reason, one.grace.seconds) for one in answer.stops] == [(Stop.REASON_PREEMPTED, 30)]
        assert (await scheduler.job(job.name)).state == State.STATE_PREEMPTING
        await other.sync()
        await worker.complete(attempt, job_pb2.Attempt.STATE_STOPPED)
        assert (await other.take()).attempt == f"{job.name}/attempts/2"


async def test_a_cordoned_worker_gets_nothing_until_it_is_uncordoned(scheduler: Scheduler) -> None:
    async with scheduler.worker() as worker:
        await worker.sync()
        name = worker_service_pb2.CordonWorkerRequest(name="workers/w")
        assert (await scheduler.workers.CordonWorker(name)).state == worker_pb2.Worker.STATE_CORDONED
        await scheduler.submit()
        assert not (await worker.sync()).assignments
        await scheduler.workers.UncordonWorker(worker_service_pb2.UncordonWorkerRequest(name="workers/w"))
        assert (await worker.sync()).assignments


async def test_workers_are_listed_with_what_they_run(scheduler: Scheduler) -> None:
    job = await scheduler.submit()
    async with scheduler.worker() as worker, scheduler.worker("a") as other:
        await worker.take()
        await other.sync()
        first = await scheduler.workers.ListWorkers(worker_service_pb2.ListWorkersRequest(page_size=1))
        rest = await scheduler.workers.ListWorkers(
            worker_service_pb2.ListWorkersRequest(page_token=first.next_page_token)
        )
        assert [one.name for one in (*first.workers, *rest.workers)] == ["workers/a", "workers/w"]
        assert rest.workers[0].state == worker_pb2.Worker.STATE_BUSY
        assert list(rest.workers[0].attempts) == [f"{job.name}/attempts/1"]
        assert rest.workers[0].tensorflow_version == "2"


async def test_names_of_attempts_are_shown_to_readers_of_their_project_only(scheduler: Scheduler) -> None:
    await scheduler.submit()
    async with scheduler.worker() as worker:
        await worker.take()
        for project, count in (("p", 1), ("q", 0)):
            async with scheduler.served.channel(scheduler.served.issuers.token("viewer", project)) as channel:
                request = worker_service_pb2.GetWorkerRequest(name="workers/w")
                stub = type(scheduler.workers)(channel)
                assert len((await stub.GetWorker(request)).attempts) == count


@pytest.mark.parametrize(
    "fields",
    [
        {"worker": "w"},
        {"instance_id": ""},
        {"devices": [device_pb2.Device()]},
        {"devices": [device_pb2.Device(kind=device_pb2.DEVICE_KIND_CPU)] * 2},
        {"attempts": [worker_sync_service_pb2.RunningAttempt(name="nonsense")]},
    ],
)
async def test_a_sync_that_makes_no_sense_is_refused(scheduler: Scheduler, fields: dict[str, object]) -> None:
    async with scheduler.worker() as worker:
        values: dict[str, Any] = {"worker": worker.name, "instance_id": "i", **fields}
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await worker.stub.Sync(worker_sync_service_pb2.SyncRequest(**values))
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_parked_sync_answers_when_the_scheduler_stops(scheduler: Scheduler) -> None:
    async with scheduler.worker() as worker:
        await worker.sync()
        parked = asyncio.create_task(worker.sync(10.0))
        await asyncio.sleep(0.1)
        stopping = asyncio.create_task(scheduler.process.server.stop(5.0))
        answer = await asyncio.wait_for(parked, 3.0)
        assert answer.cursor
        await stopping


async def test_a_worker_whose_connection_breaks_gets_nothing_new(scheduler: Scheduler) -> None:
    async with scheduler.worker() as worker:
        await worker.sync()
        parked = asyncio.create_task(worker.sync(10.0))
        await asyncio.sleep(0.1)
        parked.cancel()
    await eventually(lambda: not scheduler.process.engine.state.workers["workers/w"].present)
    job = await scheduler.submit()
    assert job.state == State.STATE_QUEUED
    async with scheduler.worker() as back:
        assert isinstance(back, ScriptedWorker)
        assert (await back.sync()).assignments
