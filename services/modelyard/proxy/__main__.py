"""`python -m modelyard.proxy --config proxy.toml`"""

import asyncio
import logging
import signal
import sys

from modelyard.foundation.errors import ModelyardError
from modelyard.foundation.telemetry import logs
from modelyard.proxy.beside import Beside
from modelyard.proxy.envoy.process import Envoy
from modelyard.proxy.front import embedded_environment
from modelyard.proxy.settings import ProxySettings

log = logging.getLogger("modelyard.proxy")


def main() -> int:
    settings = ProxySettings.load("proxy")
    logs.configure("proxy", level=settings.log.level, format=settings.log.format)
    try:
        return asyncio.run(serve(settings))
    except ModelyardError as error:
        log.critical(error.message)
        return 1


async def serve(settings: ProxySettings) -> int:
    """Runs until it is told to stop (0) or Envoy ends by itself (1)."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    environment = embedded_environment(settings)
    beside = None if environment else Beside(settings)
    envoy = Envoy(settings, environment)
    if beside is not None:
        await beside.start()
    try:
        await envoy.start()
        log.info("serving", extra={"address": envoy.address, "front": "aio" if beside else "pyvoy"})
        return await _until_ended(envoy, stopped, settings.grace_s)
    finally:
        if beside is not None:
            await beside.stop(0)


async def _until_ended(envoy: Envoy, stopped: asyncio.Event, grace_s: float) -> int:
    asked, ended = asyncio.create_task(stopped.wait()), asyncio.create_task(envoy.wait())
    await asyncio.wait({asked, ended}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if ended.done():
        log.critical("Envoy ended by itself", extra={"how": str(ended.result())})
        return 1
    log.info("stopping", extra={"grace_s": grace_s})
    await envoy.stop(grace_s)
    await ended
    return 0


if __name__ == "__main__":
    sys.exit(main())
