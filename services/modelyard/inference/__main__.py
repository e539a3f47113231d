"""`python -m modelyard.inference --config inference.toml`: puts the process together and runs it."""

import asyncio
from contextlib import AsyncExitStack

import grpc
from prometheus_client import CollectorRegistry

from modelyard.api.catalog.v1 import lineage_service_pb2, model_service_pb2
from modelyard.api.inference.v1 import (
    deployment_service_pb2_grpc,
    host_service_pb2_grpc,
    host_sync_service_pb2_grpc,
    route_service_pb2_grpc,
)
from modelyard.foundation.auth.credentials import TokenFile
from modelyard.foundation.auth.tokens import Verifier
from modelyard.foundation.clock import SystemClock
from modelyard.foundation.config import ChannelSettings
from modelyard.foundation.errors import ModelyardError
from modelyard.foundation.pages import PageTokens
from modelyard.foundation.rpc.channel import connect, retriable
from modelyard.foundation.rpc.server import Server
from modelyard.foundation.sql.engine import Database
from modelyard.foundation.sql.migrations import migrate
from modelyard.foundation.sync.loop import Loop
from modelyard.foundation.telemetry import logs
from modelyard.foundation.telemetry.metrics import Exposition, RpcMetrics
from modelyard.inference.adapters.catalog import GrpcCatalog
from modelyard.inference.adapters.health import InstallationHealth, Neighbour, services_of
from modelyard.inference.adapters.reflection import add_reflection, describe
from modelyard.inference.adapters.revocations import follow_revocations
from modelyard.inference.adapters.sql import MIGRATIONS, SqlRecords
from modelyard.inference.policy import QUIET, RULES
from modelyard.inference.service.bulletin import Bulletin
from modelyard.inference.service.deployments import Deployments
from modelyard.inference.service.fleet import Fleet
from modelyard.inference.service.holds import Holds
from modelyard.inference.servicers.deployments import DeploymentServicer
from modelyard.inference.servicers.hosts import HostServicer, HostSyncServicer
from modelyard.inference.servicers.routes import RouteServicer
from modelyard.inference.settings import InferenceSettings


async def run(settings: InferenceSettings) -> None:
    registry, clock, bulletin, pages = CollectorRegistry(), SystemClock(), Bulletin(), PageTokens()
    async with AsyncExitStack() as stack:
        database = Database(settings.sql, schema="inference")
        stack.callback(database.close)
        await migrate(database, MIGRATIONS)
        catalog = await stack.enter_async_context(_channel(settings, settings.catalog))
        scheduler = await stack.enter_async_context(_channel(settings, settings.scheduler))
        revocations = follow_revocations(catalog)
        verifier = Verifier(settings.identity.trust_file, revoked=revocations.is_revoked)

        records, lineage = SqlRecords(database), GrpcCatalog(catalog)
        fleet = Fleet(records, bulletin, clock, clock.now())
        deployments = Deployments(records, lineage, bulletin, clock, pages)
        holds = Holds(records, lineage)
        fleet_loop = Loop("fleet", fleet.settle, period_s=1.0, max_backoff_s=5.0, expected=(ModelyardError,))
        holds_loop = Loop("holds", holds.send, period_s=30.0, expected=(ModelyardError,))
        deployments.nudge = fleet.nudge = holds.nudge_fleet = fleet_loop.nudge
        fleet.nudge_holds = holds_loop.nudge

        server = Server(
            settings.server, verifier=verifier, rules=RULES, metrics=RpcMetrics(registry), quiet=QUIET, reflection=False
        )
        server.add(deployment_service_pb2_grpc.add_DeploymentServiceServicer_to_server, DeploymentServicer(deployments))
        server.add(host_service_pb2_grpc.add_HostServiceServicer_to_server, HostServicer(fleet, pages))
        server.add(host_sync_service_pb2_grpc.add_HostSyncServiceServicer_to_server, HostSyncServicer(fleet))
        server.add(route_service_pb2_grpc.add_RouteServiceServicer_to_server, RouteServicer(fleet))
        add_reflection(server)
        # Hosts stop what they are not told to run: nobody is answered before the state is known.
        await fleet.settle()
        await server.start()
        names = describe()[1]
        health = InstallationHealth(
            server,
            [
                Neighbour("catalog", catalog, services_of("modelyard.api.catalog.v1", names)),
                Neighbour("scheduler", scheduler, services_of("modelyard.api.scheduler.v1", names)),
            ],
        )
        revocations.start()
        stack.push_async_callback(revocations.stop)
        for loop in (fleet_loop, holds_loop, Loop("health", health.look, period_s=1.0)):
            await stack.enter_async_context(loop)
        if settings.metrics.listen:
            exposition = Exposition(registry, settings.metrics.listen)
            await exposition.start()
            stack.push_async_callback(exposition.stop)
        closing = asyncio.create_task(_close_when(server, bulletin))
        await server.serve_until_stopped(settings.grace_s)
        await closing


def _channel(settings: InferenceSettings, to: ChannelSettings) -> grpc.aio.Channel:
    file = settings.identity.token_file
    retry = retriable(model_service_pb2.DESCRIPTOR, lineage_service_pb2.DESCRIPTOR)
    return connect(to, credentials=TokenFile(file) if file else None, retry=retry)


async def _close_when(server: Server, bulletin: Bulletin) -> None:
    """Parked calls answer when the drain begins."""
    await server.stopping.wait()
    bulletin.close()


def main() -> None:
    settings = InferenceSettings.load("inference")
    logs.configure("inference", level=settings.log.level, format=settings.log.format)
    asyncio.run(run(settings))


if __name__ == "__main__":
    main()
