"""A running inference service, a host that talks to it, and what the tests send."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

from modelyard.api.inference.v1 import deployment_pb2, host_sync_service_pb2, host_sync_service_pb2_grpc
from modelyard.api.inference.v1 import deployment_service_pb2 as pb
from modelyard.foundation.auth.credentials import FixedToken
from modelyard.foundation.auth.trust import write_trust
from modelyard.foundation.config import ChannelSettings, IdentitySettings, ListenSettings, SqlSettings
from modelyard.foundation.rpc.channel import connect
from modelyard.inference.runtime import running
from modelyard.inference.settings import InferenceSettings
from tests.support.fake_catalog import FakeCatalog
from tests.support.servers import Issuers

PARENT = "projects/default"
NAME = f"{PARENT}/deployments/digits"
State = deployment_pb2.Deployment.State


@dataclass
class Installation:
    """Clients of a running service, each with its own token."""

    settings: InferenceSettings
    catalog: FakeCatalog
    issuers: Issuers

    def channel(self, role: str = "editor", project: str = "default", subject: str = "tokens/test") -> grpc.aio.Channel:
        token = self.issuers.token(role, project, subject) if role else ""
        return connect(ChannelSettings(target=self.settings.server.listen), credentials=FixedToken(token))


@dataclass
class TalkingHost:
    """A host that says it serves what it is told to."""

    name: str
    stub: "host_sync_service_pb2_grpc.HostSyncServiceAsyncStub"
    instance_id: str = "one"
    cursor: str = ""
    state: pb.ServedVersion.State.ValueType = pb.ServedVersion.STATE_SERVING
    orders: tuple[host_sync_service_pb2.HostAssignment, ...] = ()

    async def sync(self, max_wait_s: float = 0.0, *, cursor: str | None = None) -> list[tuple[str, bool]]:
        """Reports, and returns each version it shall serve, and whether that is stopping."""
        request = host_sync_service_pb2.SyncRequest(
            host=self.name,
            instance_id=self.instance_id,
            served=[self.says(each) for each in self.orders if not each.stopping],
            hostname="box",
            version="0.1.0",
            model_server="embedded 0.1.0",
            cursor=self.cursor if cursor is None else cursor,
        )
        request.max_wait.FromNanoseconds(int(max_wait_s * 1e9))
        answer = await self.stub.Sync(request)
        self.cursor, self.orders = answer.cursor, tuple(answer.assignments)
        return [(each.model_version, each.stopping) for each in self.orders]

    def says(self, order: host_sync_service_pb2.HostAssignment) -> host_sync_service_pb2.ServedAssignment:
        version = order.model_version.rpartition("/")[2]
        return host_sync_service_pb2.ServedAssignment(
            deployment=order.deployment,
            served_version=pb.ServedVersion(
                model_version=order.model_version,
                state=self.state,
                message="no memory" if self.state == pb.ServedVersion.STATE_FAILED else "",
                endpoint=f"unix:/run/{version}.sock",
                batching=order.batching,
                memory_bytes=1 << 20,
            ),
        )


@asynccontextmanager
async def installed(
    folder: Path, sql: SqlSettings, catalog: FakeCatalog, issuers: Issuers
) -> AsyncIterator[Installation]:
    trust, token = folder / "trust.json", folder / "token"
    write_trust(trust, issuers.trust)
    token.write_text(issuers.token("service", subject="services/inference"))
    settings = InferenceSettings(
        server=ListenSettings(listen=f"unix:{folder}/inference.sock"),
        identity=IdentitySettings(trust_file=trust, token_file=token),
        sql=sql,
        catalog=ChannelSettings(target=catalog.target),
        scheduler=ChannelSettings(target=f"unix:{folder}/scheduler.sock"),
        health_period_s=0.05,
    )
    async with running(settings) as server:
        try:
            yield Installation(settings, catalog, issuers)
        finally:
            await server.stop(0)


def create(version: str, deployment_id: str = "digits", **fields: object) -> pb.CreateDeploymentRequest:
    return pb.CreateDeploymentRequest(
        parent=PARENT,
        deployment_id=deployment_id,
        deployment=deployment_pb2.Deployment(model_version=version),
        **fields,  # type: ignore[arg-type]
    )
