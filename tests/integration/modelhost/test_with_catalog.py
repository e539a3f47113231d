"""The real catalog and store, the real inference service, a real host; only the model server is a tiny one."""

import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from pydantic import SecretStr

from modelyard.api.catalog.v1 import lineage_service_pb2, model_pb2, model_service_pb2
from modelyard.api.inference.v1 import deployment_pb2, deployment_service_pb2, deployment_service_pb2_grpc
from modelyard.foundation.auth.credentials import FixedToken
from modelyard.foundation.auth.trust import write_trust
from modelyard.foundation.config import ChannelSettings, IdentitySettings, ListenSettings, SqlSettings
from modelyard.foundation.rpc.channel import connect
from modelyard.foundation.rpc.status import reason_of
from modelyard.foundation.sync.children import Child
from modelyard.inference.runtime import running
from modelyard.inference.settings import InferenceSettings
from tests.support.catalog import PROJECT, RunningCatalog, running_catalog
from tests.support.eventually import eventually
from tests.support.one_address import one_address
from tests.support.seaweedfs import RunningStore
from tests.support.tiny_model_server import install

pytestmark = pytest.mark.timeout(180)
NAME, JOB, MODEL = f"{PROJECT}/deployments/digits", f"{PROJECT}/jobs/j1", f"{PROJECT}/models/m"
State = deployment_pb2.Deployment


@pytest.fixture
def short_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="mh-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
async def catalog(short_folder: Path, seaweedfs: RunningStore) -> AsyncIterator[RunningCatalog]:
    s3 = seaweedfs.store.settings.model_copy(update={"bucket": f"modelhost-{uuid4().hex}"})
    async with running_catalog(short_folder, s3) as running_:
        yield running_


@pytest.fixture
async def deployments(
    short_folder: Path, catalog: RunningCatalog
) -> "AsyncIterator[deployment_service_pb2_grpc.DeploymentServiceAsyncStub]":
    """Inference and a host, as `up` starts them."""
    folder, issuers = short_folder, catalog.issuers
    write_trust(folder / "trust.json", issuers.trust)
    for role, subject in (("service", "services/inference"), ("host", "hosts/a")):
        (folder / f"{role}.token").write_text(issuers.token(role, subject=subject))
    settings = InferenceSettings(
        server=ListenSettings(listen=f"unix:{folder}/inference.sock"),
        identity=IdentitySettings(trust_file=folder / "trust.json", token_file=folder / "service.token"),
        sql=SqlSettings(url=SecretStr(f"sqlite:///{folder}/inference.sqlite")),
        catalog=ChannelSettings(target=catalog.address),
        scheduler=ChannelSettings(target=f"unix:{folder}/scheduler.sock"),
    )
    targets = {
        "/modelyard.api.inference.v1.": settings.server.listen,
        "/modelyard.api.catalog.v1.": catalog.address,
    }
    command = [
        *(sys.executable, "-m", "modelyard.modelhost"),
        *("--server.target", f"unix:{folder}/proxy.sock", "--identity.token_file", str(folder / "host.token")),
        *("--work_folder", str(folder / "work"), "--run_folder", str(folder / "run"), "--leave_s", "0"),
        *("--model_server", str(install(folder))),
    ]
    async with running(settings) as server, one_address(f"unix:{folder}/proxy.sock", targets):
        host = await Child.start(command, log_file=folder / "host.log")
        token = FixedToken(issuers.token("editor", "default"))
        async with connect(ChannelSettings(target=settings.server.listen), credentials=token) as channel:
            yield deployment_service_pb2_grpc.DeploymentServiceStub(channel)
        await host.stop(10)
        await server.stop(0)


async def trained(catalog: RunningCatalog, number: int) -> str:
    """A model version made by an attempt of a job."""
    admin, scheduler = await catalog.client(), await catalog.client("service", "*", "services/scheduler")
    job = f"{JOB}{number}"
    dataset = await admin.pushed(f"{PROJECT}/datasets/digits", {"x": str(number).encode()})
    await scheduler.execute(job, 0, dataset)
    attempt = await catalog.attempt(job, 1)
    await attempt.execute(job, 1)
    files = {"saved_model.pb": b"graph", "behaviour.json": json.dumps({"answer": number}).encode()}
    upload = await attempt.push(MODEL, files, model_pb2.ModelInfo(row_wise=True))
    return str(upload.version)


async def test_versions_are_held_served_swapped_and_let_go(
    catalog: RunningCatalog, deployments: "deployment_service_pb2_grpc.DeploymentServiceAsyncStub"
) -> None:
    one, two = await trained(catalog, 1), await trained(catalog, 2)
    admin = await catalog.client()

    async def serves(version: str) -> bool:
        found = await deployments.GetDeployment(deployment_service_pb2.GetDeploymentRequest(name=NAME))
        assert found.state == State.STATE_SERVING, f"{found}"
        return bool(found.serving_version == version)

    async def delete(version: str) -> str:
        """The reason of the refusal, "" when it was deleted."""
        try:
            await admin.models.DeleteModelVersion(model_service_pb2.DeleteModelVersionRequest(name=version))
        except grpc.aio.AioRpcError as error:
            return reason_of(error)
        return ""

    created = await deployments.CreateDeployment(
        deployment_service_pb2.CreateDeploymentRequest(
            parent=PROJECT,
            deployment_id="digits",
            deployment=deployment_pb2.Deployment(model_version=f"{MODEL}/versions/1"),
        )
    )
    assert created.model_version == one
    await eventually(lambda: serves(one), timeout_s=60)
    assert await delete(one) == "STILL_NEEDED"
    await deployments.UpdateDeployment(
        deployment_service_pb2.UpdateDeploymentRequest(
            deployment=deployment_pb2.Deployment(name=NAME, model_version=f"{MODEL}/versions/latest"),
            update_mask=FieldMask(paths=["model_version"]),
        )
    )
    await eventually(lambda: serves(two), timeout_s=60)

    async def deletable() -> bool:
        return await delete(one) == ""

    await eventually(deletable)
    assert await delete(two) == "STILL_NEEDED"
    lineage = await admin.lineage.QueryLineage(lineage_service_pb2.QueryLineageRequest(name=two))
    assert NAME in [execution.consumer for execution in lineage.executions]
    for _ in range(2):
        await deployments.DeleteDeployment(deployment_service_pb2.DeleteDeploymentRequest(name=NAME))
        await asyncio.sleep(0)

    async def gone() -> bool:
        listed = await deployments.ListDeployments(deployment_service_pb2.ListDeploymentsRequest(parent=PROJECT))
        return not listed.deployments

    await eventually(gone, timeout_s=30)
    # The name can be used again, and the catalog holds the version once more.
    await deployments.CreateDeployment(
        deployment_service_pb2.CreateDeploymentRequest(
            parent=PROJECT, deployment_id="digits", deployment=deployment_pb2.Deployment(model_version=two)
        )
    )
    await eventually(lambda: serves(two), timeout_s=60)
    assert await delete(two) == "STILL_NEEDED"
