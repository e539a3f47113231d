"""The process, put together from its settings."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from prometheus_client import CollectorRegistry

from modelyard.api.scheduler.v1.job_service_pb2_grpc import add_JobServiceServicer_to_server
from modelyard.api.scheduler.v1.worker_service_pb2_grpc import add_WorkerServiceServicer_to_server
from modelyard.api.scheduler.v1.worker_sync_service_pb2_grpc import add_WorkerSyncServiceServicer_to_server
from modelyard.foundation.auth.credentials import Credentials, FixedToken, TokenFile
from modelyard.foundation.auth.keys import load_key
from modelyard.foundation.auth.revocation_feed import follow_revocations
from modelyard.foundation.auth.tokens import Signer, Verifier
from modelyard.foundation.errors import ModelyardError
from modelyard.foundation.pages import PageTokens
from modelyard.foundation.rpc.server import Limits as ServerLimits
from modelyard.foundation.rpc.server import Server
from modelyard.foundation.sql.engine import Database
from modelyard.foundation.sql.migrations import migrate
from modelyard.foundation.sync.loop import Loop
from modelyard.foundation.telemetry.metrics import Exposition, RpcMetrics
from modelyard.scheduler.adapters.catalog import GrpcCatalog, connect_catalog
from modelyard.scheduler.adapters.sql.jobs import SqlJobs
from modelyard.scheduler.adapters.sql.journal import SqlJournal
from modelyard.scheduler.adapters.sql.telemetry import SqlTelemetry
from modelyard.scheduler.adapters.tokens import ISSUER, SignedTokens
from modelyard.scheduler.domain.state import Rules
from modelyard.scheduler.policy import QUIET, RULES
from modelyard.scheduler.service.admission import Admission
from modelyard.scheduler.service.changes import Changes
from modelyard.scheduler.service.engine import Engine
from modelyard.scheduler.service.executions import Executions
from modelyard.scheduler.service.jobs import Jobs
from modelyard.scheduler.service.ports import Limits, Unsettled
from modelyard.scheduler.service.profiles import Profiles
from modelyard.scheduler.service.reports import Reports
from modelyard.scheduler.service.submission import Submission
from modelyard.scheduler.service.sync import WorkerSync
from modelyard.scheduler.service.workers import Workers
from modelyard.scheduler.servicers.jobs import JobServicer
from modelyard.scheduler.servicers.worker_sync import WorkerSyncServicer
from modelyard.scheduler.servicers.workers import WorkerServicer
from modelyard.scheduler.settings import AttemptSettings, KeptSettings, SchedulerSettings

MIGRATIONS = Path(__file__).parent / "adapters" / "migrations"
SCHEMA = "scheduler"
MAX_MESSAGE_BYTES = 8 << 20
"""A report carries a thousand lines."""
TICK_S = 0.5
TELL_S = 5.0
UNDO_S = 5.0
SAVE_S = 5.0
FORGET_S = 3600.0


@dataclass(frozen=True, slots=True)
class Running:
    server: Server
    engine: Engine


@asynccontextmanager
async def running(settings: SchedulerSettings) -> AsyncIterator[Running]:
    """A server that takes calls. Whoever entered stops it, then leaves."""
    registry = CollectorRegistry()
    async with AsyncExitStack() as stack:
        database = Database(settings.sql, schema=SCHEMA)
        stack.callback(database.close)
        await migrate(database, MIGRATIONS)
        channel = connect_catalog(settings.catalog, _credentials(settings))
        await stack.enter_async_context(channel)
        catalog, revocations = GrpcCatalog(channel), follow_revocations(channel)

        limits = _limits(settings.kept)
        rows, telemetry = SqlJobs(database), SqlTelemetry(database, limits)
        changes = Changes()
        engine = Engine(SqlJournal(database), changes, _rules(settings.attempts), _jitter(settings.attempts))
        reports = Reports(engine, rows, telemetry, changes, limits)
        admission, executions = Admission(engine, rows, catalog), Executions(rows, catalog)
        jobs = Jobs(engine, rows, Submission(catalog, settings.templates_folder), admission, reports, changes)
        tokens = SignedTokens(Signer(ISSUER, load_key(settings.signing_key_file)), settings.attempts.token_ttl_s)
        sync = WorkerSync(engine, rows, reports, tokens, changes, settings.sync.longest_wait_s)

        verifier = Verifier(settings.identity.trust_file, revoked=revocations.is_revoked)
        server, pages = _server(settings, verifier, registry), PageTokens()
        server.add(add_JobServiceServicer_to_server, JobServicer(jobs, reports, pages))
        server.add(add_WorkerServiceServicer_to_server, WorkerServicer(Workers(engine), pages))
        server.add(add_WorkerSyncServiceServicer_to_server, WorkerSyncServicer(sync, reports))

        # Workers stop what they are not told to run: nobody is answered before the state is known.
        await engine.start()
        stack.push_async_callback(engine.stop)
        stack.push_async_callback(reports.save)
        await server.start()
        revocations.start()
        stack.push_async_callback(revocations.stop)
        weather = (ModelyardError, Unsettled)
        tell = Loop("executions", executions.tell, period_s=TELL_S, expected=weather)
        engine.on_execution_ended = jobs.on_deleted = tell.nudge
        profiles = Profiles(engine, jobs, catalog, settings.profiles.max_runtime_s)
        for loop in (
            Loop("time", engine.tick, period_s=TICK_S, max_backoff_s=5.0, expected=weather),
            Loop("undo", admission.undo_left_over, period_s=UNDO_S, expected=weather),
            Loop("progress", reports.save, period_s=SAVE_S, expected=weather),
            Loop("requests", rows.forget_requests, period_s=FORGET_S, expected=weather),
            Loop("profiles", profiles.make, period_s=settings.profiles.every_s, expected=weather),
            tell,
        ):
            await stack.enter_async_context(loop)
        if settings.metrics.listen:
            exposition = Exposition(registry, settings.metrics.listen)
            await exposition.start()
            stack.push_async_callback(exposition.stop)
        closing = asyncio.create_task(_close_when(server, changes))
        stack.callback(closing.cancel)
        yield Running(server, engine)


def _server(settings: SchedulerSettings, verifier: Verifier, registry: CollectorRegistry) -> Server:
    return Server(
        settings.server,
        verifier=verifier,
        rules=RULES,
        limits=ServerLimits(max_message_bytes=MAX_MESSAGE_BYTES),
        metrics=RpcMetrics(registry),
        quiet=QUIET,
    )


def _credentials(settings: SchedulerSettings) -> Credentials:
    file = settings.identity.token_file
    return TokenFile(file) if file else FixedToken("")


def _rules(settings: AttemptSettings) -> Rules:
    return Rules(
        lease=timedelta(seconds=settings.lease_s),
        backoff=timedelta(seconds=settings.backoff_s),
        longest_backoff=timedelta(seconds=settings.longest_backoff_s),
        stop_grace=timedelta(seconds=settings.stop_grace_s),
    )


def _jitter(settings: AttemptSettings) -> Callable[[], float]:
    """Chance stays out of the domain: it is decided here and travels in events."""
    share = settings.backoff_jitter
    return lambda: random.uniform(1 - share, 1 + share)


def _limits(settings: KeptSettings) -> Limits:
    return Limits(settings.log_lines, settings.log_bytes, settings.line_characters, settings.metric_points)


async def _close_when(server: Server, changes: Changes) -> None:
    """Parked calls answer when the drain begins."""
    await server.stopping.wait()
    changes.close()
