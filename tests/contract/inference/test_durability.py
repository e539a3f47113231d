"""What an inference service has promised outlives calls that fail and its own end."""

from pathlib import Path

import grpc
import pytest

from modelyard.api.inference.v1 import (
    deployment_pb2,
    deployment_service_pb2_grpc,
    host_sync_service_pb2_grpc,
    route_service_pb2,
    route_service_pb2_grpc,
)
from modelyard.api.inference.v1 import deployment_service_pb2 as pb
from modelyard.foundation.config import SqlSettings
from tests.contract.inference.stack import NAME, PARENT, TalkingHost, create, installed
from tests.support.eventually import eventually
from tests.support.fake_catalog import FakeCatalog
from tests.support.servers import Issuers

V1 = f"{PARENT}/models/m/versions/1"
State = deployment_pb2.Deployment
Code = grpc.StatusCode


async def test_what_the_catalog_did_not_hear_is_sent_again(
    catalog: FakeCatalog, deployments: "deployment_service_pb2_grpc.DeploymentServiceAsyncStub"
) -> None:
    catalog.refuse = [Code.INTERNAL, Code.ABORTED, Code.ABORTED]
    await deployments.CreateDeployment(create(V1))
    await eventually(lambda: len(catalog.refuse) < 3)
    found = await deployments.GetDeployment(pb.GetDeploymentRequest(name=NAME))
    assert found.state == State.STATE_PENDING


@pytest.mark.timeout(120)
async def test_a_restart_forgets_nothing_on_either_database(
    tmp_path: Path, sql_settings: SqlSettings, catalog: FakeCatalog, issuers: Issuers
) -> None:
    for life in range(2):
        async with (
            installed(tmp_path, sql_settings, catalog, issuers) as there,
            there.channel() as people,
            there.channel("host", "*", "hosts/a") as machine,
            there.channel("service", "*", "services/proxy") as proxy,
        ):
            stub = deployment_service_pb2_grpc.DeploymentServiceStub(people)
            if life == 0:
                await stub.CreateDeployment(create(V1, request_id="once"))
                host = TalkingHost("hosts/a", host_sync_service_pb2_grpc.HostSyncServiceStub(machine))

                async def serves(host: TalkingHost = host, stub: object = stub) -> bool:
                    await host.sync()
                    found = await stub.GetDeployment(pb.GetDeploymentRequest(name=NAME))  # type: ignore[attr-defined]
                    return bool(found.state == State.STATE_SERVING)

                await eventually(serves, interval_s=0.05)
            else:
                again = await stub.CreateDeployment(create(V1, request_id="once"))
                assert again.name == NAME
            # The proxy gets the route at once, before any host has called again.
            watch = route_service_pb2_grpc.RouteServiceStub(proxy).WatchRoutes(route_service_pb2.WatchRoutesRequest())
            async for table in watch:
                if table.routes and table.routes[0].backends:
                    assert table.routes[0].backends[0].endpoint == "unix:/run/1.sock"
                    assert table.revision > 1
                    break
            watch.cancel()
