"""A real inference service and a real host with tiny model servers: swaps under load, and sudden deaths."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from modelyard.api.catalog.v1 import file_service_pb2_grpc
from modelyard.api.inference.v1 import (
    deployment_pb2,
    deployment_service_pb2,
    deployment_service_pb2_grpc,
)
from tests.fault.modelhost.stack import PARENT, Load, Rig, gone, model_server_pids, version_name
from tests.support.eventually import eventually
from tests.support.fake_catalog import running_fake_catalog
from tests.support.fake_store import running_fake_store
from tests.support.one_address import one_address
from tests.support.servers import Issuers

pytestmark = pytest.mark.timeout(180)
NAME = f"{PARENT}/deployments/digits"
State = deployment_pb2.Deployment


@pytest.fixture
async def rig(issuers: Issuers) -> AsyncIterator[Rig]:
    folder = Path(tempfile.mkdtemp(prefix="rig-", dir="/tmp"))
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        catalog = await stack.enter_async_context(running_fake_catalog(folder))
        store = stack.enter_context(running_fake_store())
        files = grpc.aio.server()
        file_service_pb2_grpc.add_FileServiceServicer_to_server(store, files)
        files.add_insecure_port(f"unix:{folder}/files.sock")
        await files.start()
        stack.push_async_callback(files.stop, 0)
        targets = {
            "/modelyard.api.inference.v1.": f"unix:{folder}/inference.sock",
            "/modelyard.api.catalog.v1.FileService/": f"unix:{folder}/files.sock",
        }
        await stack.enter_async_context(one_address(f"unix:{folder}/proxy.sock", targets))
        there = Rig(folder, issuers, catalog, store)
        there.prepare()
        following = asyncio.create_task(there.follow())
        try:
            yield there
        finally:
            following.cancel()
            await asyncio.wait([following])
            for child in there.children:
                await child.stop(5)


async def deploy(rig: Rig, number: int, *, create: bool = False) -> None:
    async with rig.channel("editor", "default") as channel:
        stub = deployment_service_pb2_grpc.DeploymentServiceStub(channel)
        deployment = deployment_pb2.Deployment(name=NAME, model_version=version_name(number))
        if create:
            request = deployment_service_pb2.CreateDeploymentRequest(
                parent=PARENT, deployment_id="digits", deployment=deployment
            )
            await stub.CreateDeployment(request, wait_for_ready=True, timeout=30)
        else:
            await stub.UpdateDeployment(
                deployment_service_pb2.UpdateDeploymentRequest(
                    deployment=deployment, update_mask=FieldMask(paths=["model_version"])
                )
            )
    await eventually(lambda: [version for version, _ in rig.backends()] == [number], timeout_s=40)


async def get(rig: Rig) -> deployment_pb2.Deployment:
    async with rig.channel("viewer", "default") as channel:
        stub = deployment_service_pb2_grpc.DeploymentServiceStub(channel)
        return await stub.GetDeployment(
            deployment_service_pb2.GetDeploymentRequest(name=NAME), wait_for_ready=True, timeout=30
        )


async def test_swaps_under_load_fail_no_prediction_and_mix_no_versions(rig: Rig) -> None:
    for number in range(1, 6):
        rig.publish(number)
    await rig.start_inference()
    await rig.start_host()
    await deploy(rig, 1, create=True)
    load = Load(rig)
    asking = asyncio.create_task(load.run())
    for number in range(2, 6):
        await deploy(rig, number)
    await eventually(lambda: len(model_server_pids(rig)) == 1, timeout_s=30)
    asking.cancel()
    await asyncio.wait([asking])
    await load.close()
    assert load.failures == []
    assert set(load.answers) == {1, 2, 3, 4, 5}
    assert rig.catalog.inputs(NAME) == [version_name(5)]


async def test_a_killed_host_leaves_no_model_server_and_takes_its_cache_up_again(rig: Rig) -> None:
    rig.publish(1)
    await rig.start_inference()
    host = await rig.start_host()
    await deploy(rig, 1, create=True)
    (pid,) = model_server_pids(rig)
    requested = len(rig.store.requested)
    os.kill(host.pid, signal.SIGKILL)
    await host.wait()
    await eventually(lambda: gone(pid))
    rig.store.down = True
    await rig.start_host()

    async def serves_again() -> bool:
        pids = model_server_pids(rig)
        return pids != [pid] and len(pids) == 1 and (await get(rig)).state == State.STATE_SERVING

    await eventually(serves_again, timeout_s=40)
    assert len(rig.store.requested) == requested


async def test_a_killed_inference_service_loses_no_route_and_no_hold(rig: Rig) -> None:
    rig.publish(1)
    rig.publish(2)
    inference = await rig.start_inference()
    await rig.start_host()
    await deploy(rig, 1, create=True)
    pids = model_server_pids(rig)
    load = Load(rig)
    asking = asyncio.create_task(load.run())
    async with rig.channel("editor", "default") as channel:
        stub = deployment_service_pb2_grpc.DeploymentServiceStub(channel)
        deployment = deployment_pb2.Deployment(name=NAME, model_version=version_name(2))
        await stub.UpdateDeployment(
            deployment_service_pb2.UpdateDeploymentRequest(
                deployment=deployment, update_mask=FieldMask(paths=["model_version"])
            )
        )
    os.kill(inference.pid, signal.SIGKILL)
    await inference.wait()
    assert model_server_pids(rig)[:1] == pids or set(pids) <= set(model_server_pids(rig))
    await rig.start_inference()
    await eventually(lambda: [version for version, _ in rig.backends()] == [2], timeout_s=40)
    asking.cancel()
    await asyncio.wait([asking])
    await load.close()
    assert load.failures == []
    await eventually(lambda: rig.catalog.inputs(NAME) == [version_name(2)], timeout_s=20)


async def test_an_inference_service_stops_at_once_although_hosts_and_proxies_wait(rig: Rig) -> None:
    rig.publish(1)
    inference = await rig.start_inference()
    await rig.start_host()
    await deploy(rig, 1, create=True)
    before = asyncio.get_running_loop().time()
    ended = await inference.stop(20)
    assert ended.ok
    assert asyncio.get_running_loop().time() - before < 5
