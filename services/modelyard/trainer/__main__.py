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
from modelyard.trainer.launcher import Launcher
from modelyard.trainer.service import Worker
from modelyard.trainer.servicer import RULES, TrainerServicer
from modelyard.trainer.settings import TrainerSettings
from modelyard.trainer.workspace import remove_leftovers

log = logging.getLogger("modelyard.trainer")


def main() -> int:
    """The process's exit status."""
    settings = TrainerSettings.load("trainer")
    logs.configure("trainer", level=settings.log.level, format=settings.log.format)
    try:
        return asyncio.run(serve(settings))
    except ModelyardError as error:
        log.critical(error.message)
        return 1


async def serve(settings: TrainerSettings) -> int:
    """Until it is told to stop: SIGTERM drains, a second one ends at once."""
    cache = FolderCache(settings.work_folder / "cache", settings.cache_max_bytes)
    remove_leftovers(settings.work_folder)
    found = await find_devices(cpu_only=settings.use_devices == "cpu")
    if found.problem:
        log.critical(found.problem)
        return 1
    log.info("devices found", extra={"devices": [f"{d.tensorflow_name} {d.model} {d.problem}" for d in found.devices]})
    assert settings.identity.token_file is not None
    channel = connect(settings.server, credentials=TokenFile(settings.identity.token_file))
    name, instance = settings.worker, str(uuid.uuid4())
    scheduler = Scheduler(channel, name, instance, socket.gethostname(), version("modelyard"))
    launcher = Launcher(settings, scheduler, cache, found)
    worker = Worker(found, scheduler, launcher.start, settings.stop_grace_s)
    verifier = Verifier(TrustFile(settings.identity.trust_file))
    server = Server(settings.listen, verifier=verifier, rules=RULES, metrics=RpcMetrics(CollectorRegistry()))
    server.add(trainer_service_pb2_grpc.add_TrainerServiceServicer_to_server, TrainerServicer(worker, name))
    await server.start()
    working = asyncio.create_task(worker.run(), name="worker")
    _drain_on_signals(worker, working)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await working
    finally:
        await server.stop(settings.grace_s)
        await channel.close()
        cache.close()
    return 0


def _drain_on_signals(worker: Worker, working: "asyncio.Task[None]") -> None:
    def asked() -> None:
        if worker.draining:
            working.cancel()
        worker.drain()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked)


if __name__ == "__main__":
    sys.exit(main())
