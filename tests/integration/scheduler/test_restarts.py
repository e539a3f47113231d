"""What a scheduler that is started again knows, on each database."""

import grpc
import pytest

from modelyard.api.scheduler.v1 import job_pb2, job_service_pb2
from modelyard.scheduler.service import admission
from tests.integration.scheduler.conftest import Start
from tests.support.dataset_catalog import MODEL_VERSION, DatasetCatalog

State = job_pb2.Job.State


async def test_undoing_waits_until_the_catalog_must_have_settled(start: Start, dataset_catalog: DatasetCatalog) -> None:
    async with start() as scheduler:
        dataset_catalog.refuse = [grpc.StatusCode.INTERNAL]
        with pytest.raises(grpc.aio.AioRpcError):
            await scheduler.submit(job_id="half", request_id="r")
        assert admission.SETTLED_AFTER.total_seconds() >= 3 * 5
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await scheduler.submit(job_id="half")
        assert caught.value.code() is grpc.StatusCode.ALREADY_EXISTS


async def test_what_kinds_of_jobs_there_are_survives_a_restart(start: Start, dataset_catalog: DatasetCatalog) -> None:
    package = dataset_catalog.add_package()
    async with start() as scheduler:
        made = [
            await scheduler.submit(template="", package_version=package, parameters={"x": "é", "y": 0.5, "z": True}),
            await scheduler.submit(template="evaluate", model_version=MODEL_VERSION),
        ]
    async with start() as scheduler, scheduler.worker() as worker:
        for job in made:
            assignment = await worker.take()
            assert assignment.spec == (await scheduler.job(job.name)).spec == job.spec
            job_id = job.name.rpartition("/")[2]
            if job.spec.model_version:
                await worker.complete(assignment.attempt, evaluation=f"{MODEL_VERSION}/evaluations/{job_id}")
            else:
                await worker.complete(assignment.attempt, model_version=f"{job.spec.model}/versions/1")
            assert (await scheduler.job(job.name)).state == State.STATE_SUCCEEDED


async def test_a_job_that_gets_further_is_not_given_up_after_restarts_either(start: Start) -> None:
    async with start() as scheduler:
        job = await scheduler.submit(max_attempts=2)
    for step in (10, 20, 20):
        async with start(backoff_s=0) as scheduler, scheduler.worker() as worker:
            attempt = (await worker.take()).attempt
            await worker.report(attempt, progress=job_pb2.Progress(checkpoint_step=step))
            await worker.complete(
                attempt,
                job_pb2.Attempt.STATE_FAILED,
                failure_class=job_pb2.Job.FAILURE_CLASS_STORAGE,
                message="the store was away",
            )
            job = await scheduler.job(job.name)
    assert (job.state, job.attempt) == (State.STATE_FAILED, 3)
    assert "tried 2 times since the checkpoint of step 20" in job.error.message


@pytest.mark.parametrize("kind", ["PIDS", "DISK_QUOTA", "SIGNAL", "SANDBOX_UNAVAILABLE", "REQUIREMENTS"])
async def test_the_ends_of_a_sandbox_are_stored_and_end_the_job(start: Start, kind: str) -> None:
    async with start() as scheduler, scheduler.worker() as worker:
        job = await scheduler.submit()
        attempt = (await worker.take()).attempt
        failure_class = job_pb2.Job.FailureClass.Value(f"FAILURE_CLASS_{kind}")
        await worker.complete(
            attempt, job_pb2.Attempt.STATE_FAILED, failure_class=failure_class, message="it did what it may not"
        )
        ended = await scheduler.job(job.name)
        assert (ended.state, ended.failure_class) == (State.STATE_FAILED, failure_class)
        listed = await scheduler.jobs.ListAttempts(job_service_pb2.ListAttemptsRequest(parent=job.name))
        assert [one.failure_class for one in listed.attempts] == [failure_class]


async def test_text_with_nul_or_without_end_does_not_break_the_database(start: Start) -> None:
    async with start() as scheduler, scheduler.worker() as worker:
        job = await scheduler.submit()
        attempt = (await worker.take()).attempt
        hostile = {"a\0" * 5000: "b\0" * 5000}
        progress = job_pb2.Progress(stage="s\0", metrics=dict.fromkeys(hostile, 1.0), texts=hostile, images=hostile)
        await worker.report(attempt, logs=[job_pb2.LogEntry(text="\0")], progress=progress)
        await worker.complete(attempt)
        shown = (await scheduler.job(job.name)).progress
        assert [len(name) for name in (*shown.metrics, *shown.texts)] == [128, 128]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await scheduler.submit(parameters={"name": "\0"}, template="", package_version="x\0")
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
