"""kill -9 of the scheduler between a job's deletion and the catalog's answer: its files go all the same."""

from pathlib import Path
from typing import Any

import grpc
import pytest
from pydantic import SecretStr

from modelyard.api.catalog.v1 import execution_pb2
from modelyard.api.scheduler.v1 import job_service_pb2, job_service_pb2_grpc
from modelyard.foundation.config import SqlSettings
from tests.fault.scheduler.test_kill import Process, Workplace, calling
from tests.support.dataset_catalog import running_dataset_catalog
from tests.support.eventually import eventually
from tests.support.scheduling import create_request, scheduler_settings
from tests.support.servers import Issuers

CANCELLED = execution_pb2.Execution.STATE_CANCELLED

pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize("heard", [False, True])
async def test_a_deletion_is_told_again_after_a_kill(tmp_path: Path, issuers: Issuers, heard: bool) -> None:
    async with running_dataset_catalog(tmp_path) as catalog:
        process = Process(tmp_path, catalog.target)
        scheduler_settings(tmp_path, SqlSettings(url=SecretStr("sqlite:///unused")), catalog.target, issuers)
        patience = Workplace(process, issuers)
        await process.start()
        try:
            async with calling(process.target, issuers.token()) as channel:
                stub: Any = job_service_pb2_grpc.JobServiceStub(channel)
                job = await patience.until_answered(lambda: stub.CreateJob(create_request(request_id="r")))
                await stub.CancelJob(job_service_pb2.CancelJobRequest(name=job.name))
                await eventually(lambda: catalog.executions[job.name].state == CANCELLED)
                if heard:
                    catalog.silent = True
                else:
                    catalog.refuse = [grpc.StatusCode.PERMISSION_DENIED]
                await stub.DeleteJob(job_service_pb2.DeleteJobRequest(name=job.name))
                await eventually(lambda: catalog.freed if heard else not catalog.refuse)
                await process.kill()
                assert catalog.freed == [job.name] * heard
                catalog.silent = False

                await process.start()
                await eventually(lambda: catalog.freed == [job.name] * (1 + heard), timeout_s=60)
                request = job_service_pb2.GetJobRequest(name=job.name)
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await patience.until_answered(lambda: stub.GetJob(request))
                assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        finally:
            await process.kill()
