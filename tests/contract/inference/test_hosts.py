import asyncio
import time

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from modelyard.api.inference.v1 import (
    deployment_pb2,
    deployment_service_pb2,
    deployment_service_pb2_grpc,
    host_pb2,
    host_service_pb2,
    host_service_pb2_grpc,
    host_sync_service_pb2_grpc,
    route_service_pb2,
    route_service_pb2_grpc,
)
from modelyard.foundation.rpc.status import failure_of
from tests.contract.inference.stack import NAME, PARENT, Installation, TalkingHost, create
from tests.support.eventually import eventually

V1 = f"{PARENT}/models/m/versions/1"


async def test_a_sync_waits_for_news_and_no_longer(
    host: TalkingHost, deployments: "deployment_service_pb2_grpc.DeploymentServiceAsyncStub"
) -> None:
    assert await host.sync() == []
    started = time.monotonic()
    assert await host.sync(0.3) == []
    assert time.monotonic() - started >= 0.3
    parked = asyncio.create_task(host.sync(10))
    await deployments.CreateDeployment(create(V1))
    assert await asyncio.wait_for(parked, 5) == [(V1, False)]


async def test_a_sync_with_an_old_cursor_does_not_wait(host: TalkingHost) -> None:
    await host.sync()
    started = time.monotonic()
    await host.sync(10, cursor="old")
    assert time.monotonic() - started < 5


async def test_a_host_speaks_for_itself_only(installation: Installation) -> None:
    async with installation.channel("host", "*", "hosts/b") as channel:
        imposter = TalkingHost("hosts/a", host_sync_service_pb2_grpc.HostSyncServiceStub(channel))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await imposter.sync()
    assert failure_of(caught.value).reason == "NOT_THIS_HOST"


async def test_a_process_that_was_replaced_is_told(host: TalkingHost) -> None:
    await host.sync()
    host.instance_id = "two"
    await host.sync()
    host.instance_id = "one"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await host.sync()
    assert (caught.value.code(), failure_of(caught.value).reason) == (grpc.StatusCode.ABORTED, "HOST_REPLACED")


async def test_hosts_are_listed_and_drained(
    host: TalkingHost, hosts: "host_service_pb2_grpc.HostServiceAsyncStub"
) -> None:
    await host.sync()

    async def listed() -> host_pb2.Host | None:
        answer = await hosts.ListHosts(host_service_pb2.ListHostsRequest())
        return answer.hosts[0] if answer.hosts else None

    found = await eventually(listed)
    assert found is not None
    assert (found.name, found.state, found.hostname) == ("hosts/a", host_pb2.Host.STATE_READY, "box")
    assert found.model_server == "embedded 0.1.0"
    drained = await hosts.DrainHost(host_service_pb2.DrainHostRequest(name="hosts/a"))
    assert drained.state == host_pb2.Host.STATE_DRAINING
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await hosts.DrainHost(host_service_pb2.DrainHostRequest(name="hosts/b"))
    assert failure_of(caught.value).reason == "HOST_NOT_FOUND"


async def test_a_new_version_is_routed_before_the_old_one_is_told_to_stop(
    host: TalkingHost,
    deployments: "deployment_service_pb2_grpc.DeploymentServiceAsyncStub",
    routes: "route_service_pb2_grpc.RouteServiceAsyncStub",
) -> None:
    tables: list[route_service_pb2.RouteTable] = []
    times: dict[int, float] = {}

    async def watch() -> None:
        async for table in routes.WatchRoutes(route_service_pb2.WatchRoutesRequest()):
            tables.append(table)
            for route in table.routes:
                for backend in route.backends:
                    times.setdefault(backend.version, time.monotonic())

    watching = asyncio.create_task(watch())
    await deployments.CreateDeployment(create(V1))

    async def routed(version: int) -> bool:
        await host.sync()
        return version in times

    await eventually(lambda: routed(1), interval_s=0.05)
    await deployments.UpdateDeployment(
        deployment_service_pb2.UpdateDeploymentRequest(
            deployment=deployment_pb2.Deployment(name=NAME, model_version=f"{PARENT}/models/m/versions/2"),
            update_mask=FieldMask(paths=["model_version"]),
        )
    )
    await eventually(lambda: routed(2), interval_s=0.05)

    async def stopping() -> bool:
        return (V1, True) in await host.sync()

    await eventually(stopping, interval_s=0.05)
    assert time.monotonic() - times[2] >= 1.0, "2 s after it was decided, which was before it was heard"
    first = next(i for i, table in enumerate(tables) if table.routes and table.routes[0].backends)
    assert all(table.routes[0].backends for table in tables[first:]), "never without a backend"
    assert [table.revision for table in tables] == sorted({table.revision for table in tables})
    watching.cancel()


async def test_only_proxies_see_routes(installation: Installation) -> None:
    async with installation.channel("editor", "*") as channel:
        stub = route_service_pb2_grpc.RouteServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in stub.WatchRoutes(route_service_pb2.WatchRoutesRequest()):
                pass
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
