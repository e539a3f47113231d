"""`python -m modelyard.modelhost --config modelhost.toml`."""

import asyncio
import logging
import signal
import socket
import sys
import uuid
from contextlib import AsyncExitStack
from importlib.metadata import version

from modelyard.foundation.auth.credentials import TokenFile
from modelyard.foundation.auth.tokens import Verifier
from modelyard.foundation.errors import ModelyardError
from modelyard.foundation.rpc.channel import connect
from modelyard.foundation.rpc.server import Server
from modelyard.foundation.sync.cache import FolderCache
from modelyard.foundation.telemetry import logs
from modelyard.modelhost.adapters.inference import GrpcInference
from modelyard.modelhost.adapters.processes import ProcessStarting
from modelyard.modelhost.adapters.programs import find_program
from modelyard.modelhost.adapters.trees import CachedTrees
from modelyard.modelhost.identity import host_name
from modelyard.modelhost.service import Host
from modelyard.modelhost.settings import ModelHostSettings
from modelyard.sdk.connection import Connection
from modelyard.sdk.discovery import Access

log = logging.getLogger("modelyard.modelhost")


async def serve(settings: ModelHostSettings) -> None:
    """Until it is told to stop: SIGTERM lets others take over, a second one ends at once."""
    token = TokenFile(settings.identity.token_file)
    name = host_name(settings.host, token.token())
    program = await find_program(settings.model_server)
    log.info("model server", extra={"model_server": program.description, "host": name})
    async with AsyncExitStack() as stack:
        cache = FolderCache(settings.work_folder / "cache", settings.cache_max_bytes)
        stack.callback(cache.close)
        ca_file = settings.server.tls_ca_file
        access = Access(settings.server.target, ca_file=str(ca_file) if ca_file else "")
        connection = stack.enter_context(Connection(access, token.token))
        channel = await stack.enter_async_context(connect(settings.server, credentials=token))
        inference = GrpcInference(
            channel,
            host=name,
            instance_id=str(uuid.uuid4()),
            hostname=socket.gethostname(),
            version=version("modelyard"),
            model_server=program.description,
        )
        starting = ProcessStarting(
            program,
            settings.work_folder,
            settings.run_folder,
            more=settings.model_server_flags,
            memory_bytes=settings.model_server_memory_bytes,
            start_timeout_s=settings.start_timeout_s,
            stop_grace_s=settings.stop_grace_s,
        )
        host = Host(inference, CachedTrees(cache, connection), starting, settings.leave_s)
        if settings.listen is not None:
            server = Server(settings.listen, verifier=Verifier({}), rules={})
            await server.start()
            stack.push_async_callback(server.stop, 0.0)
            await server.set_serving(False)
            joining = asyncio.create_task(_serving_when(host.joined, server))
            stack.callback(joining.cancel)
        working = asyncio.create_task(host.run(), name="host")
        _leave_on_signals(host, working)
        await asyncio.wait([working])
    if not working.cancelled():
        working.result()


async def _serving_when(joined: asyncio.Event, server: Server) -> None:
    await joined.wait()
    await server.set_serving(True)


def _leave_on_signals(host: Host, working: "asyncio.Task[None]") -> None:
    asked = 0

    def stop() -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            host.leave()
        else:
            working.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)


def main() -> int:
    settings = ModelHostSettings.load("modelhost")
    logs.configure("modelhost", level=settings.log.level, format=settings.log.format)
    try:
        asyncio.run(serve(settings))
    except ModelyardError as error:
        log.critical(error.message)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
