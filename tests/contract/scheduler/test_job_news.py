"""What is heard of a job: its failure, what its code reports, each change, its place in the queue."""

import asyncio

from google.rpc import error_details_pb2

from modelyard.api.scheduler.v1 import job_pb2, job_service_pb2
from tests.support.dataset_catalog import PROJECT
from tests.support.scheduling import Scheduler

State = job_pb2.Job.State


async def test_a_users_failure_is_shown_with_its_class_and_its_traceback(scheduler: Scheduler) -> None:
    job = await scheduler.submit()
    async with scheduler.worker() as worker:
        assignment = await worker.take()
        await worker.complete(
            assignment.attempt,
            job_pb2.Attempt.STATE_FAILED,
            failure_class=job_pb2.Job.FAILURE_CLASS_USER_CODE,
            message="ZeroDivisionError: division by zero",
            detail="Traceback …",
        )
    failed = await scheduler.job(job.name)
    assert (failed.state, failed.failure_class) == (State.STATE_FAILED, job_pb2.Job.FAILURE_CLASS_USER_CODE)
    info = error_details_pb2.ErrorInfo()
    assert failed.error.details[0].Unpack(info)
    assert (info.reason, info.metadata["detail"]) == ("USER_CODE", "Traceback …")
    assert "division by zero" in failed.error.message


async def test_a_failures_traceback_is_shown_whole_with_the_job_and_not_in_lists(scheduler: Scheduler) -> None:
    job = await scheduler.submit()
    traceback = "\n".join(f"frame {number}" for number in range(400)) + "\nthe end"
    async with scheduler.worker() as worker:
        assignment = await worker.take()
        await worker.complete(
            assignment.attempt,
            job_pb2.Attempt.STATE_FAILED,
            failure_class=job_pb2.Job.FAILURE_CLASS_SIGNAL,
            message="SIGSEGV ended it",
            detail=traceback,
        )
    info = error_details_pb2.ErrorInfo()
    shown = await scheduler.job(job.name)
    assert shown.error.details[0].Unpack(info)
    assert info.metadata["detail"] == traceback
    listed = (await scheduler.jobs.ListJobs(job_service_pb2.ListJobsRequest(parent=PROJECT))).jobs[0]
    assert listed.error.details[0].Unpack(info)
    assert (info.reason, dict(info.metadata)) == ("SIGNAL", {})
    assert listed.error.message == shown.error.message


async def test_texts_and_images_of_a_job_are_bounded_and_the_newest_is_shown(scheduler: Scheduler) -> None:
    job = await scheduler.submit()
    async with scheduler.worker() as worker:
        attempt = (await worker.take()).attempt
        many = {f"t{number:03}": "é" * 4096 for number in range(100)}
        await worker.report(attempt, progress=job_pb2.Progress(texts=many))
        paths = {"a": "images/a.png", "b": "../../etc/passwd", "c": "/etc/passwd", "d": "x\ny", "e": "images//e.png"}
        await worker.report(attempt, progress=job_pb2.Progress(texts={"said": "a\0b"}, images=paths))
        progress = (await scheduler.job(job.name)).progress
        assert (dict(progress.texts), dict(progress.images)) == ({"said": "a\ufffdb"}, {"a": "images/a.png"})
        await worker.report(attempt, progress=job_pb2.Progress(texts=many))
        texts = (await scheduler.job(job.name)).progress.texts
        assert sorted(texts) == sorted(many)[:64]
        assert {len(text.encode()) for text in texts.values()} == {4096}
        await worker.complete(attempt)
    assert len((await scheduler.job(job.name)).progress.texts) == 64
    listed = (await scheduler.jobs.ListJobs(job_service_pb2.ListJobsRequest(parent=PROJECT))).jobs[0]
    assert not listed.progress.texts


async def test_watching_sends_each_change_and_ends_with_the_job(scheduler: Scheduler) -> None:
    job = await scheduler.submit()
    states: list[int] = []

    async def watch() -> None:
        async for one in scheduler.jobs.WatchJob(job_service_pb2.WatchJobRequest(name=job.name)):
            states.append(one.state)

    watching = asyncio.create_task(watch())
    async with scheduler.worker() as worker:
        assignment = await worker.take()
        for step in range(3):
            await worker.run(assignment.attempt, progress=job_pb2.Progress(step=step))
            await asyncio.sleep(0.25)
        await worker.complete(assignment.attempt)
        await asyncio.wait_for(watching, 5)
    assert states[0] in (State.STATE_QUEUED, State.STATE_ASSIGNED, State.STATE_PREPARING)
    assert states[-1] == State.STATE_SUCCEEDED
    assert State.STATE_RUNNING in states


async def test_a_queued_job_is_told_how_many_are_before_it(scheduler: Scheduler) -> None:
    async with scheduler.worker() as worker:
        await worker.sync()
        first, second, third = [await scheduler.submit() for _ in range(3)]
        assert (await scheduler.job(first.name)).state == State.STATE_ASSIGNED
        waiting = await scheduler.job(second.name)
        assert (waiting.pending_reason, waiting.jobs_ahead) == (job_pb2.Job.PENDING_REASON_WORKERS_BUSY, 0)
        behind = await scheduler.job(third.name)
        assert (behind.pending_reason, behind.jobs_ahead) == (job_pb2.Job.PENDING_REASON_BEHIND_OTHERS, 1)
