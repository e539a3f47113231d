"""`python -m modelyard.trainer --config trainer.toml`"""

import asyncio
import contextlib
import logging
import signal
import socket
import sys
import uuid
from importlib.metadata import version

from prometheus_client import CollectorRegistry

from modelyard.api.trainer.v1 import trainer_service_pb2_grpc
from modelyard.foundation.auth.credentials import TokenFile
from modelyard.foundation.auth.tokens import Verifier
from modelyard.foundation.auth.trust import TrustFile
from modelyard.foundation.errors import ModelyardError
from modelyard.foundation.rpc.channel import connect
from modelyard.foundation.rpc.server import Server
from modelyard.foundation.sync.cache import FolderCache
from modelyard.foundation.telemetry import logs
from modelyard.foundation.telemetry.metrics import RpcMetrics
from modelyard.trainer.adapters.devices import find_devices
from modelyard.trainer.adapters.scheduler import Scheduler
from modelyard.trainer.domain import disk_failed
from modelyard.trainer.launcher import Launcher
from modelyard.trainer.service import Worker
from modelyard.trainer.servicer import RULES, TrainerServicer
from modelyard.trainer.settings import TrainerSettings
from modelyard.trainer.workspace import clear_leftovers

log = logging.getLogger("modelyard.trainer")


def main() -> int:
    """The process's exit status."""
    settings = TrainerSettings.load("trainer")
    logs.configure("trainer", level=settings.log.level, format=settings.log.format)
    try:
        asyncio.run(serve(settings))
    except ModelyardError as error:
        log.critical(error.message)
        return 1
    except OSError as error:
        log.critical(disk_failed(error).message)
        return 1
    return 0


async def serve(settings: TrainerSettings) -> None:
    """Until it is told to stop: SIGTERM drains, a second one ends at once. Raises ModelyardError or OSError."""
    assert settings.identity.token_file is not None
    token = TokenFile(settings.identity.token_file)
    async with contextlib.AsyncExitStack() as stack:
        cache = FolderCache(settings.work_folder / "cache", settings.cache_max_bytes)
        stack.callback(cache.close)
        clear_leftovers(settings.work_folder)
        found = await find_devices(cpu_only=settings.use_devices == "cpu")
        log.info("devices found", extra={"devices": [str(device) for device in found.devices]})
        channel = await stack.enter_async_context(connect(settings.server, credentials=token))
        name, instance = settings.worker, str(uuid.uuid4())
        scheduler = Scheduler(channel, name, instance, socket.gethostname(), version("modelyard"))
        launcher = Launcher(settings, scheduler, cache, found)
        worker = Worker(found, scheduler, launcher.start, settings.stop_grace_s)
        verifier = Verifier(TrustFile(settings.identity.trust_file))
        server = Server(settings.listen, verifier=verifier, rules=RULES, metrics=RpcMetrics(CollectorRegistry()))
        server.add(trainer_service_pb2_grpc.add_TrainerServiceServicer_to_server, TrainerServicer(worker, name))
        await server.start()
        stack.push_async_callback(server.stop, settings.grace_s)
        working = asyncio.create_task(worker.run(), name="worker")
        _leave_on_signals(worker, working)
        await asyncio.wait((working,))
    if not working.cancelled():
        working.result()


def _leave_on_signals(worker: Worker, working: "asyncio.Task[None]") -> None:
    asked = 0

    def stop() -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            worker.leave()
        else:
            working.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)


if __name__ == "__main__":
    sys.exit(main())
