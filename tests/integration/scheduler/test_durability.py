"""What was answered stays, whatever happens to the process, the database's answer or the catalog."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from sqlalchemy import Connection, select, update

from modelyard.api.catalog.v1 import execution_pb2
from modelyard.api.scheduler.v1 import job_pb2, job_service_pb2
from modelyard.foundation.config import SqlSettings
from modelyard.foundation.errors import Unavailable
from modelyard.foundation.sql.engine import Database
from modelyard.scheduler.adapters.sql.journal import SqlJournal
from modelyard.scheduler.adapters.sql.schema import OPENING, audit, jobs
from modelyard.scheduler.service.ports import Written
from tests.integration.scheduler.conftest import Start
from tests.support.dataset_catalog import PROJECT, DatasetCatalog
from tests.support.eventually import eventually

State = job_pb2.Job.State


async def test_a_running_job_goes_on_under_a_scheduler_that_was_started_again(start: Start) -> None:
    async with start() as scheduler:
        job = await scheduler.submit(priority=5)
        waiting = await scheduler.submit()
        async with scheduler.worker() as worker:
            attempt = (await worker.take()).attempt
            await worker.run(attempt, progress=job_pb2.Progress(step=7))
        before = await scheduler.job(job.name)
    async with start() as scheduler, scheduler.worker() as worker:
        assert await scheduler.job(job.name) == before
        worker.runs[attempt] = job_pb2.Attempt.STATE_RUNNING
        answer = await worker.sync()
        assert [one.attempt for one in answer.assignments] == [attempt]
        assert (await scheduler.job(waiting.name)).state == State.STATE_QUEUED
        await worker.report(attempt, sequence=2, progress=job_pb2.Progress(step=9))
        await worker.complete(attempt)
        assert (await scheduler.job(job.name)).progress.step == 9
        assert (await worker.sync()).assignments[0].attempt == f"{waiting.name}/attempts/1"


async def test_a_lease_that_ended_while_the_scheduler_was_down_is_a_lost_worker(start: Start) -> None:
    async with start(lease_s=2, backoff_s=0) as scheduler:
        job = await scheduler.submit()
        async with scheduler.worker() as worker:
            attempt = (await worker.take()).attempt
    await asyncio.sleep(2.1)
    async with start(lease_s=2, backoff_s=0) as scheduler, scheduler.worker() as worker:
        assert (await scheduler.job(job.name)).state == State.STATE_QUEUED
        worker.runs[attempt] = job_pb2.Attempt.STATE_RUNNING
        answer = await worker.sync()
        assert [one.attempt for one in answer.stops] == [attempt]
        assert not answer.assignments
        worker.runs.clear()
        assert (await worker.sync()).assignments[0].attempt == f"{job.name}/attempts/2"


async def test_a_worker_that_is_silent_for_a_lease_loses_its_job(start: Start) -> None:
    async with start(lease_s=2, backoff_s=0) as scheduler:
        job = await scheduler.submit()
        async with scheduler.worker() as worker, scheduler.worker("other") as other:
            await worker.take()
            await eventually(lambda: is_state(scheduler, job.name, State.STATE_QUEUED), timeout_s=5)
            assert (await other.take()).attempt == f"{job.name}/attempts/2"
        attempts = await scheduler.jobs.ListAttempts(job_service_pb2.ListAttemptsRequest(parent=job.name))
        assert [one.state for one in attempts.attempts] == [
            job_pb2.Attempt.STATE_PREPARING,
            job_pb2.Attempt.STATE_LOST,
        ]


async def test_a_worker_that_only_holds_the_line_keeps_its_lease(start: Start) -> None:
    async with start(lease_s=4) as scheduler:
        job = await scheduler.submit()
        async with scheduler.worker() as worker:
            await worker.take()
            for _ in range(4):
                await worker.sync(1.2)
        assert (await scheduler.job(job.name)).state == State.STATE_PREPARING


async def test_the_end_of_a_job_reaches_a_catalog_that_was_away(start: Start, dataset_catalog: DatasetCatalog) -> None:
    async with start() as scheduler:
        job = await scheduler.submit()
        dataset_catalog.refuse = [grpc.StatusCode.PERMISSION_DENIED]
        await scheduler.jobs.CancelJob(job_service_pb2.CancelJobRequest(name=job.name))
        await eventually(lambda: not dataset_catalog.refuse)
        assert dataset_catalog.executions[job.name].state == execution_pb2.Execution.STATE_OPEN
    async with start():
        await eventually(lambda: dataset_catalog.executions[job.name].state == execution_pb2.Execution.STATE_CANCELLED)


@pytest.mark.parametrize("known", [False, True])
async def test_a_creation_that_was_cut_off_is_undone(
    start: Start,
    dataset_catalog: DatasetCatalog,
    sql_settings: SqlSettings,
    known: bool,
) -> None:
    async with start() as scheduler:
        job = await scheduler.submit(job_id="cut-off")
        dataset_catalog.refuse = [grpc.StatusCode.INTERNAL]
        with pytest.raises(grpc.aio.AioRpcError):
            await scheduler.submit(job_id="half")
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)

    def cut_off(connection: Connection) -> None:
        if known:
            connection.execute(update(jobs).where(jobs.c.name == job.name).values(state=OPENING))
        connection.execute(update(jobs).where(jobs.c.state == OPENING).values(create_time=long_ago))

    database = Database(sql_settings, schema="scheduler")
    await database.run(cut_off)
    database.close()
    async with start() as scheduler:
        await eventually(lambda: not_opening(scheduler, "half"))
        if known:
            ended = dataset_catalog.executions[job.name]
            await eventually(lambda: ended.state == execution_pb2.Execution.STATE_CANCELLED)
            with pytest.raises(grpc.aio.AioRpcError):
                await scheduler.submit(job_id="cut-off")


async def not_opening(scheduler: Any, job_id: str) -> bool:
    try:
        await scheduler.submit(job_id=job_id)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.ALREADY_EXISTS:
            raise
        return False
    return True


async def is_state(scheduler: Any, name: str, state: int) -> bool:
    return bool((await scheduler.job(name)).state == state)


@pytest.mark.parametrize("after_commit", [False, True])
async def test_a_database_that_fails_in_between_loses_nothing(
    start: Start, monkeypatch: pytest.MonkeyPatch, after_commit: bool
) -> None:
    """An answer of the database that is lost is the hard case: what was stored counts, not what was thought."""
    commit = SqlJournal.commit
    failures = [True]

    async def failing(self: SqlJournal, work: Callable[[datetime], Written[Any]]) -> Any:
        if not failures:
            return await commit(self, work)
        if after_commit:
            await commit(self, work)
        failures.pop()
        raise Unavailable("the database went away")

    async with start() as scheduler:
        async with scheduler.worker() as worker:
            await worker.sync()
            monkeypatch.setattr(SqlJournal, "commit", failing)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await scheduler.submit(job_id="doubt", request_id="r")
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            job = await scheduler.submit(job_id="doubt", request_id="r")
            assert job.state == State.STATE_ASSIGNED
            attempt = (await worker.take()).attempt
            await worker.complete(attempt)
        assert (await scheduler.job(job.name)).state == State.STATE_SUCCEEDED


async def test_an_older_scheduler_can_store_nothing_any_more(start: Start, sql_settings: SqlSettings) -> None:
    async with start() as scheduler:
        database = Database(sql_settings, schema="scheduler")
        await SqlJournal(database).take_over()
        database.close()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await scheduler.submit()
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert scheduler.process.engine.taken_over.is_set()


async def test_of_logs_and_metrics_a_bounded_tail_is_kept(start: Start) -> None:
    async with start() as scheduler:
        job = await scheduler.submit()
        async with scheduler.worker() as worker:
            attempt = (await worker.take()).attempt
            for number in range(16):
                lines = [job_pb2.LogEntry(text=f"{number}-{line} " + "x" * 90) for line in range(1000)]
                await worker.report(attempt, logs=lines)
            await worker.complete(attempt)
        request = job_service_pb2.StreamLogsRequest(name=job.name)
        kept = [line async for line in scheduler.jobs.StreamLogs(request)]
        assert len(kept) == 10_000
        assert (kept[0].cursor, kept[-1].cursor) == (6001, 16_000)
        assert kept[-1].text.startswith("15-999 ")


async def test_who_did_what_is_written_with_it(start: Start, sql_settings: SqlSettings) -> None:
    async with start() as scheduler:
        job = await scheduler.submit(request_id="r-1")
        await scheduler.jobs.CancelJob(job_service_pb2.CancelJobRequest(name=job.name))
        await scheduler.jobs.DeleteJob(job_service_pb2.DeleteJobRequest(name=job.name))
        with pytest.raises(grpc.aio.AioRpcError):
            await scheduler.submit(template="none")
        database = Database(sql_settings, schema="scheduler")
        rows = await database.read(lambda connection: connection.execute(select(audit).order_by(audit.c.id)).all())
        database.close()
        assert [(row.action, row.resource, row.subject) for row in rows] == [
            (action, job.name, "tokens/test") for action in ("CreateJob", "CancelJob", "DeleteJob")
        ]
        assert rows[0].request_id == "r-1"
        assert rows[0].token_id


async def test_hundred_jobs_submitted_at_once_all_end(start: Start) -> None:
    async with start() as scheduler:
        jobs_made = await asyncio.gather(*(scheduler.submit() for _ in range(100)))
        assert len({job.name for job in jobs_made}) == 100

        async def work(name: str) -> None:
            async with scheduler.worker(name) as worker:
                while True:
                    answer = await worker.sync(0.5)
                    if not answer.assignments:
                        return
                    for one in answer.assignments:
                        worker.runs[one.attempt] = job_pb2.Attempt.STATE_RUNNING
                        await worker.run(one.attempt)
                        await worker.complete(one.attempt)

        await asyncio.gather(*(work(f"w{number}") for number in range(4)))
        request = job_service_pb2.ListJobsRequest(parent=PROJECT, page_size=1000)
        ended = (await scheduler.jobs.ListJobs(request)).jobs
        assert [job.state for job in ended] == [State.STATE_SUCCEEDED] * 100
        assert [job.attempt for job in ended] == [1] * 100
