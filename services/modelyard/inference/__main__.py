"""`python -m modelyard.inference --config inference.toml`."""

import asyncio
import logging
import sys

from modelyard.foundation.errors import ModelyardError
from modelyard.foundation.telemetry import logs
from modelyard.inference.runtime import running
from modelyard.inference.settings import InferenceSettings

log = logging.getLogger(__name__)


async def run(settings: InferenceSettings) -> None:
    async with running(settings) as server:
        await server.serve_until_stopped(settings.grace_s)


def main() -> int:
    settings = InferenceSettings.load("inference")
    logs.configure("inference", level=settings.log.level, format=settings.log.format)
    try:
        asyncio.run(run(settings))
    except ModelyardError as error:
        log.critical(error.message)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
