"""A deleted job's files: the catalog hears of it in the end, whatever happens in between."""

import grpc
import pytest
from sqlalchemy import func, insert, select

from modelyard.api.catalog.v1 import execution_pb2
from modelyard.api.scheduler.v1 import job_pb2, job_service_pb2
from modelyard.foundation.config import SqlSettings
from modelyard.foundation.sql.engine import Database
from modelyard.scheduler.adapters.sql.schema import DELETED, outbox
from modelyard.scheduler.service.executions import BATCH
from tests.integration.scheduler.conftest import Start
from tests.support.dataset_catalog import DatasetCatalog
from tests.support.eventually import eventually
from tests.support.scheduling import Scheduler


async def cancelled(scheduler: Scheduler) -> job_pb2.Job:
    job = await scheduler.submit()
    return await scheduler.jobs.CancelJob(job_service_pb2.CancelJobRequest(name=job.name))


async def delete(scheduler: Scheduler, name: str) -> None:
    await scheduler.jobs.DeleteJob(job_service_pb2.DeleteJobRequest(name=name))


async def left(settings: SqlSettings) -> int:
    """How much the catalog has to hear yet."""
    database = Database(settings, schema="scheduler")
    count = await database.read(lambda connection: connection.execute(select(func.count(outbox.c.id))).scalar_one())
    database.close()
    return count


async def test_the_catalog_hears_of_a_deletion_at_once_and_once(
    start: Start, dataset_catalog: DatasetCatalog, sql_settings: SqlSettings
) -> None:
    async with start() as scheduler:
        job = await cancelled(scheduler)
        await delete(scheduler, job.name)
        await eventually(lambda: dataset_catalog.freed, timeout_s=3)

        async def told() -> bool:
            return await left(sql_settings) == 0

        await eventually(told)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await delete(scheduler, job.name)
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    async with start() as scheduler:
        await cancelled(scheduler)
        await eventually(told)
    assert dataset_catalog.freed == [job.name]


@pytest.mark.parametrize("code", [grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNIMPLEMENTED])
async def test_a_deletion_reaches_a_catalog_that_was_away_or_older_then(
    start: Start, dataset_catalog: DatasetCatalog, sql_settings: SqlSettings, code: grpc.StatusCode
) -> None:
    async with start() as scheduler:
        job = await cancelled(scheduler)
        ended = execution_pb2.Execution.STATE_CANCELLED
        await eventually(lambda: dataset_catalog.executions[job.name].state == ended)
        dataset_catalog.refuse = [code]
        await delete(scheduler, job.name)
        await eventually(lambda: not dataset_catalog.refuse)
    assert (dataset_catalog.freed, await left(sql_settings)) == ([], 1)
    async with start():
        await eventually(lambda: dataset_catalog.freed == [job.name])


async def test_the_end_is_told_before_the_deletion_however_much_there_is_to_tell(
    start: Start, dataset_catalog: DatasetCatalog, sql_settings: SqlSettings
) -> None:
    count = BATCH + 3
    async with start() as scheduler:
        jobs = [await scheduler.submit() for _ in range(count)]
    rows = [{"job": job.name, "attempt": 0, "outcome": DELETED} for job in jobs]
    rows += [{"job": job.name, "attempt": 0, "outcome": "CANCELLED"} for job in jobs]
    database = Database(sql_settings, schema="scheduler")
    await database.run(lambda connection: connection.execute(insert(outbox), rows))
    database.close()
    async with start():
        await eventually(lambda: len(dataset_catalog.freed) == count)
    assert sorted(dataset_catalog.freed) == sorted(job.name for job in jobs)


async def test_a_refusal_is_heard_and_holds_up_nobody(
    start: Start, dataset_catalog: DatasetCatalog, sql_settings: SqlSettings
) -> None:
    async with start() as scheduler:
        jobs = [await cancelled(scheduler) for _ in range(2)]

        async def told() -> bool:
            return await left(sql_settings) == 0

        await eventually(told)
        dataset_catalog.executions[jobs[0].name].state = execution_pb2.Execution.STATE_OPEN
        for job in jobs:
            await delete(scheduler, job.name)
        await eventually(told)
    assert dataset_catalog.freed == [jobs[1].name]
