"""A running inference service, with a catalog beside it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from modelyard.api.inference.v1 import (
    deployment_service_pb2_grpc,
    host_service_pb2_grpc,
    host_sync_service_pb2_grpc,
    route_service_pb2_grpc,
)
from modelyard.foundation.config import SqlSettings
from tests.contract.inference.stack import Installation, TalkingHost, installed
from tests.support.fake_catalog import FakeCatalog, running_fake_catalog
from tests.support.servers import Issuers


@pytest.fixture
async def catalog(tmp_path: Path) -> AsyncIterator[FakeCatalog]:
    async with running_fake_catalog(tmp_path) as catalog:
        for number in (1, 2, 3):
            catalog.add(number)
        yield catalog


@pytest.fixture
def sqlite(tmp_path: Path) -> SqlSettings:
    return SqlSettings(url=SecretStr(f"sqlite:///{tmp_path}/inference.sqlite"))


@pytest.fixture
async def installation(
    tmp_path: Path, sqlite: SqlSettings, catalog: FakeCatalog, issuers: Issuers
) -> AsyncIterator[Installation]:
    async with installed(tmp_path, sqlite, catalog, issuers) as there:
        yield there


@pytest.fixture
async def deployments(
    installation: Installation,
) -> "AsyncIterator[deployment_service_pb2_grpc.DeploymentServiceAsyncStub]":
    async with installation.channel() as channel:
        yield deployment_service_pb2_grpc.DeploymentServiceStub(channel)


@pytest.fixture
async def host(installation: Installation) -> AsyncIterator[TalkingHost]:
    async with installation.channel("host", "*", "hosts/a") as channel:
        yield TalkingHost("hosts/a", host_sync_service_pb2_grpc.HostSyncServiceStub(channel))


@pytest.fixture
async def routes(installation: Installation) -> "AsyncIterator[route_service_pb2_grpc.RouteServiceAsyncStub]":
    async with installation.channel("service", "*", "services/proxy") as channel:
        yield route_service_pb2_grpc.RouteServiceStub(channel)


@pytest.fixture
async def hosts(installation: Installation) -> "AsyncIterator[host_service_pb2_grpc.HostServiceAsyncStub]":
    async with installation.channel("admin", "*") as channel:
        yield host_service_pb2_grpc.HostServiceStub(channel)
