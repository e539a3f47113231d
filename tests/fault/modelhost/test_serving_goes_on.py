"""A real inference service and a real host with tiny model servers: swaps under load, and sudden deaths."""

import asyncio
import json
import os
import shutil
import signal
import sys
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
    route_service_pb2,
    route_service_pb2_grpc,
)
from modelyard.api.serving.v1 import predict_pb2
from modelyard.foundation.auth.credentials import FixedToken
from modelyard.foundation.auth.trust import write_trust
from modelyard.foundation.config import ChannelSettings
from modelyard.foundation.rpc.channel import connect
from modelyard.foundation.sync.children import Child
from tests.support.eventually import eventually
from tests.support.fake_catalog import FakeCatalog, running_fake_catalog
from tests.support.fake_store import FakeStore, running_fake_store
from tests.support.one_address import one_address
from tests.support.servers import Issuers
from tests.support.tiny_model_server import install

pytestmark = pytest.mark.timeout(180)
PARENT, NAME = "projects/default", "projects/default/deployments/digits"
State = deployment_pb2.Deployment


def version_name(number: int) -> str:
    return f"{PARENT}/models/m/versions/{number}"


class Rig:
    """Everything but the proxy, which the test plays."""

    def __init__(self, folder: Path, issuers: Issuers, catalog: FakeCatalog, store: FakeStore) -> None:
        self.folder = folder
        self.issuers = issuers
        self.catalog = catalog
        self.store = store
        self.table = route_service_pb2.RouteTable()
        self.children: list[Child] = []

    def publish(self, number: int) -> None:
        """Version n answers n."""
        behaviour = json.dumps({"answer": float(number)}).encode()
        digest = self.store.publish(version_name(number), {"saved_model.pb": b"", "behaviour.json": behaviour})
        self.catalog.add(number, digest=digest)

    def prepare(self) -> None:
        write_trust(self.folder / "trust.json", self.issuers.trust)
        for role, subject in (("service", "services/inference"), ("host", "hosts/a")):
            (self.folder / f"{role}.token").write_text(self.issuers.token(role, subject=subject))
        install(self.folder)

    async def start_inference(self) -> Child:
        return await self._start(
            "inference",
            {
                "server.listen": f"unix:{self.folder}/inference.sock",
                "identity.trust_file": f"{self.folder}/trust.json",
                "identity.token_file": f"{self.folder}/service.token",
                "sql.url": f"sqlite:///{self.folder}/inference.sqlite",
                "catalog.target": self.catalog.target,
                "scheduler.target": f"unix:{self.folder}/scheduler.sock",
                "grace_s": "2",
            },
        )

    async def start_host(self) -> Child:
        return await self._start(
            "modelhost",
            {
                "server.target": f"unix:{self.folder}/proxy.sock",
                "identity.token_file": f"{self.folder}/host.token",
                "work_folder": f"{self.folder}/work",
                "run_folder": f"{self.folder}/run",
                "model_server": f"{self.folder}/tensorflow_model_server",
                "leave_s": "0",
            },
        )

    async def _start(self, process: str, settings: dict[str, str]) -> Child:
        flags = [word for key, value in settings.items() for word in (f"--{key}", value)]
        child = await Child.start(
            [sys.executable, "-m", f"modelyard.{process}", *flags], log_file=self.folder / f"{process}.log"
        )
        self.children.append(child)
        return child

    def channel(self, role: str, project: str = "*") -> grpc.aio.Channel:
        token = FixedToken(self.issuers.token(role, project))
        return connect(ChannelSettings(target=f"unix:{self.folder}/inference.sock"), credentials=token)

    async def follow(self) -> None:
        """As a proxy does: keeps the newest table, also while inference is away."""
        async with self.channel("service") as channel:
            stub = route_service_pb2_grpc.RouteServiceStub(channel)
            while True:
                try:
                    async for table in stub.WatchRoutes(route_service_pb2.WatchRoutesRequest(), wait_for_ready=True):
                        self.table = table
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(0.1)

    def backends(self) -> list[tuple[int, str]]:
        return [(backend.version, backend.endpoint) for route in self.table.routes for backend in route.backends]


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


class Load:
    """Asks whatever the table says, again and again, over kept connections."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._channels: dict[str, grpc.aio.Channel] = {}
        self.answers: list[float] = []
        self.failures: list[str] = []

    async def run(self) -> None:
        while True:
            for version, endpoint in self._rig.backends():
                await self._ask(version, endpoint)
            await asyncio.sleep(0.005)

    async def _ask(self, version: int, endpoint: str) -> None:
        channel = self._channels.get(endpoint)
        if channel is None:
            channel = self._channels[endpoint] = connect(ChannelSettings(target=endpoint))
        call = channel.unary_unary(
            "/tensorflow.serving.PredictionService/Predict",
            request_serializer=predict_pb2.PredictRequest.SerializeToString,
            response_deserializer=predict_pb2.PredictResponse.FromString,
        )
        request = predict_pb2.PredictRequest()
        request.inputs["image"].tensor_shape.dim.add(size=1)
        try:
            response = await call(request, timeout=10)
        except grpc.aio.AioRpcError as error:
            self.failures.append(f"version {version}: {error.code()}")
            return
        answer = response.outputs["probabilities"].float_val[0]
        self.answers.append(answer)
        if answer != version:
            self.failures.append(f"version {version} answered {answer}")

    async def close(self) -> None:
        for channel in self._channels.values():
            await channel.close()


def model_server_pids(rig: Rig) -> list[int]:
    return [json.loads(path.read_text())["pid"] for path in rig.folder.glob("work/served/*/home/started.json")]


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except FileNotFoundError:
        return True


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
