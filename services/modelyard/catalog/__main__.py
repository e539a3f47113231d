"""`python -m modelyard.catalog --config catalog.toml`: puts the process together and runs it."""

import asyncio
import logging
import sys
from contextlib import AsyncExitStack

from prometheus_client import CollectorRegistry

from modelyard.catalog.adapters.sql_catalog import SCHEMA, SqlCatalog
from modelyard.catalog.policy import QUIET, RULES
from modelyard.catalog.settings import CatalogSettings
from modelyard.catalog.wiring import build, serve
from modelyard.foundation.auth.keys import load_key
from modelyard.foundation.auth.tokens import Verifier
from modelyard.foundation.clock import SystemClock
from modelyard.foundation.errors import ModelyardError
from modelyard.foundation.objectstore.s3 import S3Store
from modelyard.foundation.rpc.server import Limits, Server
from modelyard.foundation.sql.engine import Database
from modelyard.foundation.telemetry import logs
from modelyard.foundation.telemetry.metrics import Exposition, RpcMetrics

log = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = 8 << 20
"""10,000 packs or files in one message, and what UploadInline takes."""


async def run(settings: CatalogSettings) -> None:
    registry, key = CollectorRegistry(), load_key(settings.signing_key_file)
    async with AsyncExitStack() as stack:
        database = Database(settings.sql, schema=SCHEMA)
        stack.callback(database.close)
        store = S3Store(settings.s3)
        stack.callback(store.close)
        catalog = SqlCatalog(database)
        await catalog.migrate()
        await store.ensure_bucket()
        services = build(settings, catalog, store, key, SystemClock())
        if settings.bootstrap_project:
            await services.projects.bootstrap(settings.bootstrap_project)
        revocations = services.tokens.revocations
        await revocations.poll()
        server = Server(
            settings.server,
            verifier=Verifier(settings.identity.trust_file, revoked=revocations.is_revoked),
            rules=RULES,
            limits=Limits(max_message_bytes=MAX_MESSAGE_BYTES),
            metrics=RpcMetrics(registry),
            quiet=QUIET,
        )
        serve(server, services, settings, key)
        revocations.start()
        stack.push_async_callback(revocations.stop)
        for loop in services.loops:
            await stack.enter_async_context(loop)
        if settings.metrics.listen:
            exposition = Exposition(registry, settings.metrics.listen)
            await exposition.start()
            stack.push_async_callback(exposition.stop)
        await server.start()
        await server.serve_until_stopped(settings.grace_s)


def main() -> int:
    settings = CatalogSettings.load("catalog")
    logs.configure("catalog", level=settings.log.level, format=settings.log.format)
    try:
        asyncio.run(run(settings))
    except ModelyardError as error:
        log.critical(error.message)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
