"""A scheduler and a catalog from dictionaries, for commands about jobs."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.rpc import error_details_pb2, status_pb2
from typer.testing import CliRunner, Result

from modelyard.api.catalog.v1 import (
    dataset_pb2,
    dataset_service_pb2_grpc,
    execution_pb2,
    lineage_service_pb2,
    lineage_service_pb2_grpc,
    model_pb2,
    model_service_pb2,
    model_service_pb2_grpc,
)
from modelyard.api.scheduler.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc
from modelyard.cli.__main__ import app
from modelyard.cli.globals import hoist

State = job_pb2.Job.State
Class = job_pb2.Job.FailureClass
PROJECT = "projects/default"
TRACEBACK = '  File "train.py", line 12, in main\n    model.fit(x, y)\nValueError: labels are of shape [2]'


class Installation(
    job_service_pb2_grpc.JobServiceServicer,
    lineage_service_pb2_grpc.LineageServiceServicer,
    model_service_pb2_grpc.ModelServiceServicer,
    dataset_service_pb2_grpc.DatasetServiceServicer,
):
    """Jobs end as `ends` says; what they were asked for is kept."""

    def __init__(self) -> None:
        self.asked: list[job_service_pb2.CreateJobRequest] = []
        self.jobs: dict[str, job_pb2.Job] = {}
        self.ends: list[job_pb2.Job] = []
        self.lines = ["Epoch 1", "something odd"]
        self.outputs: list[execution_pb2.Output] = []
        self.evaluations: list[model_pb2.Evaluation] = []

    async def CreateJob(self, request: Any, context: Any) -> job_pb2.Job:
        self.asked.append(request)
        if request.job.spec.template not in ("", "image-classification", "evaluate"):
            await refuse(context, grpc.StatusCode.NOT_FOUND, "there is no template 'mine'", "TEMPLATE_UNKNOWN")
        name = f"{PROJECT}/jobs/{request.job_id or f'job-{len(self.asked)}'}"
        job = job_pb2.Job(name=name, spec=request.job.spec, state=State.STATE_QUEUED)
        self.jobs[name] = job
        return job

    async def GetJob(self, request: Any, context: Any) -> job_pb2.Job:
        if request.name not in self.jobs:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"{request.name} does not exist")
        return self.jobs[request.name]

    async def CancelJob(self, request: Any, context: Any) -> job_pb2.Job:
        self.jobs[request.name].state = State.STATE_CANCELLING
        return self.jobs[request.name]

    async def ListJobs(self, request: Any, context: Any) -> job_service_pb2.ListJobsResponse:
        return job_service_pb2.ListJobsResponse(jobs=self.jobs.values())

    async def WatchJob(self, request: Any, context: Any) -> AsyncIterator[job_pb2.Job]:
        for step in self.ends:
            self.jobs[request.name].MergeFrom(step)
            yield self.jobs[request.name]

    async def StreamLogs(self, request: Any, context: Any) -> AsyncIterator[job_pb2.LogEntry]:
        for number, text in list(enumerate(self.lines, 1))[request.cursor :]:
            yield job_pb2.LogEntry(cursor=number, text=text)

    async def ListOutputs(self, request: Any, context: Any) -> lineage_service_pb2.ListOutputsResponse:
        return lineage_service_pb2.ListOutputsResponse(outputs=self.outputs)

    async def GetModelVersion(self, request: Any, context: Any) -> model_pb2.ModelVersion:
        return model_pb2.ModelVersion(name=request.name)

    async def ListEvaluations(self, request: Any, context: Any) -> model_service_pb2.ListEvaluationsResponse:
        found = [each for each in self.evaluations if each.name.startswith(f"{request.parent}/")]
        return model_service_pb2.ListEvaluationsResponse(evaluations=found)

    async def GetDatasetVersion(self, request: Any, context: Any) -> dataset_pb2.DatasetVersion:
        return dataset_pb2.DatasetVersion(name=request.name.replace("latest", "1"))

    async def GetInputSpec(self, request: Any, context: Any) -> dataset_pb2.InputSpec:
        return dataset_pb2.InputSpec(splits=[dataset_pb2.Split(name="test", example_count=100)])


async def refuse(context: Any, code: grpc.StatusCode, message: str, reason: str) -> None:
    status = status_pb2.Status(code=code.value[0], message=message)
    status.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason))
    await context.abort(code, message, (("grpc-status-details-bin", status.SerializeToString()),))


def failed(kind: Class.ValueType, message: str, detail: str = "") -> job_pb2.Job:
    job = job_pb2.Job(state=State.STATE_FAILED, failure_class=kind)
    job.error.code, job.error.message = 9, message
    info = error_details_pb2.ErrorInfo(reason="X", metadata={"detail": detail} if detail else {})
    packed = Packed()
    packed.Pack(info)
    job.error.details.append(packed)
    return job


def make_folder(name: str) -> None:
    """Where the commands are typed."""
    Path(name).mkdir()


async def typed(*words: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, hoist(words))


def known(there: Installation, **spec: Any) -> job_pb2.Job:
    job = job_pb2.Job(name=f"{PROJECT}/jobs/first", state=State.STATE_RUNNING, spec=job_pb2.JobSpec(**spec))
    there.jobs[job.name] = job
    return job
