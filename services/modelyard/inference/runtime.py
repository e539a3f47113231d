"""The process, put together from its settings."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
from prometheus_client import CollectorRegistry

from modelyard.api.catalog.v1 import lineage_service_pb2, model_service_pb2
from modelyard.api.inference.v1.deployment_service_pb2_grpc import add_DeploymentServiceServicer_to_server
from modelyard.api.inference.v1.host_service_pb2_grpc import add_HostServiceServicer_to_server
from modelyard.api.inference.v1.host_sync_service_pb2_grpc import add_HostSyncServiceServicer_to_server
from modelyard.api.inference.v1.route_service_pb2_grpc import add_RouteServiceServicer_to_server
from modelyard.foundation.auth.credentials import TokenFile
from modelyard.foundation.auth.revocation_feed import follow_revocations
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
from modelyard.foundation.telemetry.metrics import Exposition, RpcMetrics
from modelyard.inference.adapters.catalog import GrpcCatalog
from modelyard.inference.adapters.health import InstallationHealth, Neighbour
from modelyard.inference.adapters.reflection import add_reflection, describe
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

SETTLE_S = 1.0
RESEND_S = 30.0


@asynccontextmanager
async def running(settings: InferenceSettings) -> AsyncIterator[Server]:
    """A server that takes calls. Whoever entered stops it, then leaves."""
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
        weather = (ModelyardError,)
        fleet_loop = Loop("fleet", fleet.settle, period_s=SETTLE_S, max_backoff_s=5.0, expected=weather)
        holds_loop = Loop("holds", holds.send, period_s=RESEND_S, expected=weather)
        deployments.nudge = fleet.nudge = holds.nudge_fleet = fleet_loop.nudge
        fleet.nudge_holds = holds_loop.nudge

        server = Server(
            settings.server, verifier=verifier, rules=RULES, metrics=RpcMetrics(registry), quiet=QUIET, reflection=False
        )
        server.add(add_DeploymentServiceServicer_to_server, DeploymentServicer(deployments))
        server.add(add_HostServiceServicer_to_server, HostServicer(fleet, pages))
        server.add(add_HostSyncServiceServicer_to_server, HostSyncServicer(fleet))
        server.add(add_RouteServiceServicer_to_server, RouteServicer(fleet))
        add_reflection(server)
        # Hosts stop what they are not told to run: nobody is answered before the state is known.
        await fleet.settle()
        await server.start()
        await _tend(stack, settings, server, catalog, scheduler)
        revocations.start()
        stack.push_async_callback(revocations.stop)
        for loop in (fleet_loop, holds_loop):
            await stack.enter_async_context(loop)
        if settings.metrics.listen:
            exposition = Exposition(registry, settings.metrics.listen)
            await exposition.start()
            stack.push_async_callback(exposition.stop)
        closing = asyncio.create_task(_close_when(server, bulletin))
        stack.callback(closing.cancel)
        yield server


async def _tend(
    stack: AsyncExitStack,
    settings: InferenceSettings,
    server: Server,
    catalog: grpc.aio.Channel,
    scheduler: grpc.aio.Channel,
) -> None:
    """Health of the whole installation, from now on."""
    names = describe()[1]
    neighbours = [
        Neighbour(name, channel, [each for each in names if each.startswith(f"modelyard.api.{name}.")])
        for name, channel in (("catalog", catalog), ("scheduler", scheduler))
    ]
    health = InstallationHealth(server, neighbours)
    await health.look()
    await stack.enter_async_context(Loop("health", health.look, period_s=settings.health_period_s))


async def _close_when(server: Server, bulletin: Bulletin) -> None:
    """Parked calls answer when the drain begins."""
    await server.stopping.wait()
    bulletin.close()


def _channel(settings: InferenceSettings, to: ChannelSettings) -> grpc.aio.Channel:
    file = settings.identity.token_file
    retry = retriable(
        model_service_pb2.DESCRIPTOR, lineage_service_pb2.DESCRIPTOR, also=("BeginExecution", "EndExecution")
    )
    return connect(to, credentials=TokenFile(file) if file else None, retry=retry)
