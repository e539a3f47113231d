"""What jobs.create says to the scheduler."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from modelyard.api.scheduler.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc
from modelyard.sdk import Client


class Scheduler(job_service_pb2_grpc.JobServiceServicer):
    def __init__(self) -> None:
        self.requests: list[job_service_pb2.CreateJobRequest] = []

    async def CreateJob(self, request: Any, context: Any) -> job_pb2.Job:
        self.requests.append(request)
        return job_pb2.Job(name=f"{request.parent}/jobs/j", spec=request.job.spec)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            {"template": "image-classification", "dataset": "mnist"},
            job_pb2.JobSpec(
                template="image-classification", dataset_version="projects/lab/datasets/mnist/versions/latest"
            ),
        ),
        (
            {"package": "mine@3", "entry": "train:main", "dataset": "mnist@2", "model": "m", "max_attempts": 1},
            job_pb2.JobSpec(
                package_version="projects/lab/packages/mine/versions/3",
                entry="train:main",
                dataset_version="projects/lab/datasets/mnist/versions/2",
                model="projects/lab/models/m",
                max_attempts=1,
            ),
        ),
        (
            {"template": "import-model", "source": "files"},
            job_pb2.JobSpec(template="import-model", source_version="projects/lab/packages/files/versions/latest"),
        ),
        (
            {"template": "evaluate", "dataset": "mnist", "model_version": "m@7"},
            job_pb2.JobSpec(
                template="evaluate",
                dataset_version="projects/lab/datasets/mnist/versions/latest",
                model_version="projects/lab/models/m/versions/7",
            ),
        ),
    ],
)
async def test_names_as_people_write_them_become_versions(
    tmp_path: Path, arguments: dict[str, Any], expected: job_pb2.JobSpec
) -> None:
    scheduler = Scheduler()  # type: ignore[abstract]
    server = grpc.aio.server()
    job_service_pb2_grpc.add_JobServiceServicer_to_server(scheduler, server)
    address = f"unix:{tmp_path}/scheduler.sock"
    server.add_insecure_port(address)
    await server.start()

    def create() -> None:
        with Client(address, token="t", project="lab") as client:
            client.jobs.create(**arguments)

    await asyncio.to_thread(create)
    await server.stop(0)
    (request,) = scheduler.requests
    request.job.spec.ClearField("parameters")
    assert request.job.spec == expected
