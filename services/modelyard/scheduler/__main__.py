"""`python -m modelyard.scheduler --config scheduler.toml`."""

import asyncio
import logging
import sys

from modelyard.foundation.errors import ModelyardError
from modelyard.foundation.telemetry import logs
from modelyard.scheduler.runtime import running
from modelyard.scheduler.settings import SchedulerSettings

log = logging.getLogger(__name__)

TAKEN_OVER = 3
"""Exit status of a scheduler whose database a newer one serves now."""


async def run(settings: SchedulerSettings) -> int:
    async with running(settings) as process:
        serving = asyncio.create_task(process.server.serve_until_stopped(settings.grace_s))
        taken_over = asyncio.create_task(process.engine.taken_over.wait())
        await asyncio.wait({serving, taken_over}, return_when=asyncio.FIRST_COMPLETED)
        taken_over.cancel()
        if not serving.done():
            serving.cancel()
            await process.server.stop(0)
            return TAKEN_OVER
        await serving
    return 0


def main() -> int:
    settings = SchedulerSettings.load("scheduler")
    logs.configure("scheduler", level=settings.log.level, format=settings.log.format)
    try:
        return asyncio.run(run(settings))
    except ModelyardError as error:
        log.critical(error.message)
        return 1


if __name__ == "__main__":
    sys.exit(main())
