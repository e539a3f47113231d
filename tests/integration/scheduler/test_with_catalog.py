"""The scheduler beside the real catalog: what it asks for is what the catalog gives."""

import json
from pathlib import Path

import grpc
import pytest
from pydantic import SecretStr

from modelyard.api.catalog.v1 import dataset_service_pb2, execution_pb2, lineage_service_pb2
from modelyard.api.scheduler.v1 import job_pb2, job_service_pb2
from modelyard.foundation.config import SqlSettings
from modelyard.foundation.rpc.status import failure_of
from tests.support.catalog import RunningCatalog, running_catalog
from tests.support.eventually import eventually
from tests.support.scheduling import DatasetCatalog, create_request, running_scheduler, scheduler_settings
from tests.support.seaweedfs import RunningStore
from tests.support.servers import Issuers

PROJECT = "projects/default"
DIGITS = f"{PROJECT}/datasets/digits"
DESCRIPTION = {
    "format": 1,
    "layout": "class_folders",
    "modality": "image",
    "features": {
        "image": {"dtype": "uint8", "shape": [28, 28, 1], "encoding": "png"},
        "label": {"dtype": "int64", "classes": ["0", "1"]},
    },
    "splits": {"train": {"examples": 2}, "test": {"examples": 1}},
}


async def pushed(catalog: RunningCatalog) -> str:
    admin = await catalog.client()
    request = dataset_service_pb2.CreateDatasetRequest(parent=PROJECT, dataset_id="digits")
    await admin.datasets.CreateDataset(request)
    files = {"modelyard.dataset.json": json.dumps(DESCRIPTION).encode(), "0/a.png": b"a", "1/b.png": b"b"}
    return await admin.pushed(DIGITS, files)


async def test_a_jobs_inputs_are_held_from_its_creation_to_its_end(
    tmp_path: Path, seaweedfs: RunningStore, issuers: Issuers
) -> None:
    s3 = seaweedfs.store.settings.model_copy(update={"bucket": "scheduler-test"})
    sql = SqlSettings(url=SecretStr(f"sqlite:///{tmp_path}/scheduler.sqlite"))
    async with running_catalog(tmp_path, s3, issuers=issuers) as catalog:
        version = await pushed(catalog)
        settings = scheduler_settings(tmp_path, sql, catalog.address, issuers)
        beside = DatasetCatalog(target=catalog.address)  # type: ignore[abstract]
        async with running_scheduler(settings, beside, issuers) as scheduler, scheduler.worker() as worker:
            request = create_request(parent=PROJECT, dataset_version=f"{DIGITS}/versions/latest")
            job = await scheduler.jobs.CreateJob(request)
            assert job.spec.dataset_version == version
            assert job.spec.dataset_digest.startswith("sha256:")

            admin = await catalog.client()
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await admin.datasets.DeleteDatasetVersion(dataset_service_pb2.DeleteDatasetVersionRequest(name=version))
            assert failure_of(caught.value).reason == "STILL_NEEDED"

            assignment = await worker.take()
            speaker = await catalog.client_with(assignment.token)
            begun = await speaker.lineage.BeginExecution(
                lineage_service_pb2.BeginExecutionRequest(parent=PROJECT, consumer=job.name, attempt=1)
            )
            assert [one.name for one in begun.inputs] == [version]
            await worker.complete(
                assignment.attempt,
                job_pb2.Attempt.STATE_FAILED,
                failure_class=job_pb2.Job.FAILURE_CLASS_USER_CODE,
                message="it raised",
            )

            async def freed() -> bool:
                query = lineage_service_pb2.QueryLineageRequest(name=version)
                executions = (await admin.lineage.QueryLineage(query)).executions
                return [one.state for one in executions] == [execution_pb2.Execution.STATE_FAILED]

            await eventually(freed)
            await admin.datasets.DeleteDatasetVersion(dataset_service_pb2.DeleteDatasetVersionRequest(name=version))
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await scheduler.jobs.CreateJob(create_request(parent=PROJECT, dataset_version=version))
            failure = failure_of(caught.value)
            assert (failure.code, list(failure.fields)) == (
                grpc.StatusCode.NOT_FOUND,
                ["job.spec.dataset_version"],
            )
            listed = await scheduler.jobs.ListJobs(job_service_pb2.ListJobsRequest(parent=PROJECT))
            assert [one.name for one in listed.jobs] == [job.name]
