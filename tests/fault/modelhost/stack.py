"""A host and an inference service that can be killed, and predictions without a pause."""

import asyncio
import contextlib
import json
import sys
from pathlib import Path

import grpc

from modelyard.api.inference.v1 import (
    route_service_pb2,
    route_service_pb2_grpc,
)
from modelyard.api.serving.v1 import predict_pb2
from modelyard.foundation.auth.credentials import FixedToken
from modelyard.foundation.auth.trust import write_trust
from modelyard.foundation.config import ChannelSettings
from modelyard.foundation.rpc.channel import connect
from modelyard.foundation.sync.children import Child
from tests.support.fake_catalog import FakeCatalog
from tests.support.fake_store import FakeStore
from tests.support.servers import Issuers
from tests.support.tiny_model_server import install

PARENT = "projects/default"


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
    found = []
    for path in rig.folder.glob("work/served/*/home/started.json"):
        with contextlib.suppress(FileNotFoundError):  # the host has removed it
            found.append(json.loads(path.read_text())["pid"])
    return found


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
