"""A model host's process against an installation made of fakes behind one address."""

import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from modelyard.api.catalog.v1 import file_service_pb2_grpc
from modelyard.api.inference.v1 import deployment_service_pb2, host_sync_service_pb2, host_sync_service_pb2_grpc
from modelyard.foundation.sync.children import Child, Exit
from tests.support.eventually import eventually
from tests.support.fake_store import FakeStore, running_fake_store
from tests.support.servers import Issuers
from tests.support.tiny_model_server import install

Served = deployment_service_pb2.ServedVersion
NAME = "projects/default/deployments/digits"


def version_name(number: int) -> str:
    return f"projects/default/models/m/versions/{number}"


@dataclass
class FakeInference(host_sync_service_pb2_grpc.HostSyncServiceServicer):
    """Tells the host what the test wants, and keeps what the host says."""

    orders: list[host_sync_service_pb2.HostAssignment] = field(default_factory=list)
    last: host_sync_service_pb2.SyncRequest = field(default_factory=host_sync_service_pb2.SyncRequest)
    calls: int = 0
    refuse: grpc.StatusCode | None = None

    async def Sync(self, request: Any, context: Any) -> host_sync_service_pb2.SyncResponse:
        if self.refuse is not None:
            await context.abort(self.refuse, "not now")
        self.last = request
        self.calls += 1
        answer = host_sync_service_pb2.SyncResponse(assignments=self.orders, cursor=repr(self.orders))
        if request.cursor == answer.cursor:
            limit = request.max_wait.ToTimedelta().total_seconds()

            def news() -> bool:
                return repr(self.orders) != answer.cursor

            try:
                await eventually(news, timeout_s=limit)
            except AssertionError:
                return answer
            answer = host_sync_service_pb2.SyncResponse(assignments=self.orders, cursor=repr(self.orders))
        return answer

    def seen(self, number: int = 1) -> deployment_service_pb2.ServedVersion:
        """What the host says of a version; an empty message if nothing."""
        for each in self.last.served:
            if each.served_version.model_version == version_name(number):
                return each.served_version
        return deployment_service_pb2.ServedVersion()

    async def becomes(
        self, state: "Served.State.ValueType", number: int = 1, timeout_s: float = 20
    ) -> deployment_service_pb2.ServedVersion:
        def there() -> bool:
            assert self.seen(number).state == state, f"{self.seen(number)}"
            return True

        await eventually(there, timeout_s=timeout_s)
        return self.seen(number)

    async def forgets(self, number: int = 1) -> None:
        await eventually(lambda: self.seen(number).state == 0)


@dataclass
class Installation:
    """One address with a fake inference service and a fake catalog behind it, and a host that dials it."""

    folder: Path
    inference: FakeInference
    store: FakeStore
    address: str
    token: str
    host: Child | None = None
    lines: list[str] = field(default_factory=list)
    server: grpc.aio.Server | None = None

    def publish(self, number: int = 1, behaviour: Mapping[str, object] | None = None, **files: bytes) -> str:
        """The version's digest."""
        named = {name.replace("_npz", ".npz"): data for name, data in files.items()}
        tree = {"saved_model.pb": b"model", "behaviour.json": json.dumps(behaviour or {}).encode(), **named}
        return self.store.publish(version_name(number), tree)

    def order(
        self,
        number: int = 1,
        *,
        digest: str = "",
        batching: bool = False,
        stopping: bool = False,
        foreign: bool = False,
    ) -> host_sync_service_pb2.HostAssignment:
        return host_sync_service_pb2.HostAssignment(
            deployment=NAME,
            model_version=version_name(number),
            digest=digest or self.store.reads[version_name(number)].digest,
            serving_name="digits",
            batching=batching,
            stopping=stopping,
            foreign=foreign,
        )

    async def start(self, *flags: str, environment: Mapping[str, str] | None = None) -> Child:
        token_file = self.folder / "token"
        token_file.write_text(self.token)
        command = [
            *(sys.executable, "-m", "modelyard.modelhost"),
            *("--server.target", self.address),
            *("--identity.token_file", str(token_file)),
            *("--work_folder", str(self.folder / "work")),
            *("--run_folder", str(self.folder / "run")),
            *("--model_server", str(install(self.folder))),
            *("--leave_s", "0.5"),
            *flags,
        ]
        self.host = await Child.start(command, environment=environment, on_line=lambda _, line: self.lines.append(line))
        return self.host

    async def stop(self) -> Exit:
        assert self.host is not None
        ended = await self.host.stop(30)
        self.host = None
        return ended

    def started(self, number: int = 1) -> dict[str, Any]:
        """What the newest model server of a version wrote down about itself."""
        for folder in (self.folder / "work" / "served").iterdir():
            if (folder / "model" / str(number)).exists():
                record: dict[str, Any] = json.loads((folder / "home" / "started.json").read_text())
                return record
        raise AssertionError(f"no model server of version {number}")


@asynccontextmanager
async def installed(folder: Path, issuers: Issuers) -> AsyncIterator[Installation]:
    inference, address = FakeInference(), f"unix:{folder}/proxy.sock"
    with running_fake_store() as store:
        server = grpc.aio.server()
        host_sync_service_pb2_grpc.add_HostSyncServiceServicer_to_server(inference, server)
        file_service_pb2_grpc.add_FileServiceServicer_to_server(store, server)
        server.add_insecure_port(address)
        await server.start()
        token = issuers.token("host", subject="hosts/a")
        there = Installation(folder, inference, store, address, token, server=server)
        try:
            yield there
        finally:
            if there.host is not None:
                await there.host.stop(10)
            await server.stop(0)
