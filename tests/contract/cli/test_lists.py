"""Lists of what is not there: nothing in a project is no failure, a project that is not there is one."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from typer.testing import CliRunner, Result

from modelyard.api.catalog.v1 import project_pb2, project_service_pb2_grpc
from modelyard.api.inference.v1 import deployment_service_pb2, deployment_service_pb2_grpc
from modelyard.api.scheduler.v1 import job_service_pb2, job_service_pb2_grpc
from modelyard.cli.__main__ import app
from modelyard.cli.globals import hoist
from modelyard.sdk.errors import NotFound


class Empty(
    project_service_pb2_grpc.ProjectServiceServicer,
    job_service_pb2_grpc.JobServiceServicer,
    deployment_service_pb2_grpc.DeploymentServiceServicer,
):
    """One project with nothing in it; only the catalog's part knows that there is no other."""

    async def GetProject(self, request: Any, context: Any) -> project_pb2.Project:
        if request.name != "projects/default":
            await context.abort(grpc.StatusCode.NOT_FOUND, f"{request.name} does not exist")
        return project_pb2.Project(name=request.name)

    async def ListJobs(self, request: Any, context: Any) -> job_service_pb2.ListJobsResponse:
        return job_service_pb2.ListJobsResponse()

    async def ListDeployments(self, request: Any, context: Any) -> deployment_service_pb2.ListDeploymentsResponse:
        return deployment_service_pb2.ListDeploymentsResponse()


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    monkeypatch.chdir(tmp_path)
    empty, server = Empty(), grpc.aio.server()  # type: ignore[abstract]
    project_service_pb2_grpc.add_ProjectServiceServicer_to_server(empty, server)
    job_service_pb2_grpc.add_JobServiceServicer_to_server(empty, server)
    deployment_service_pb2_grpc.add_DeploymentServiceServicer_to_server(empty, server)
    monkeypatch.setenv("MODELYARD_SERVER", f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
    monkeypatch.setenv("MODELYARD_TOKEN", "secret")
    await server.start()
    yield
    await server.stop(0)


async def run(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, hoist(arguments))


@pytest.mark.parametrize("noun", ["jobs", "deployments"])
async def test_a_list_in_a_project_that_is_not_there_says_so(server: None, noun: str) -> None:
    refused = await run(noun, "list", "--project", "nope", "-o", "json")
    assert isinstance(refused.exception, NotFound), refused.output
    assert refused.exception.message == "projects/nope does not exist"
    assert refused.stdout == ""
    empty = await run(noun, "list", "-o", "json")
    assert (empty.exit_code, json.loads(empty.stdout)) == (0, [])
