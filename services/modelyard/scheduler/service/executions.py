"""Tells the catalog which jobs have ended, again and again until it has heard: their inputs are free then."""

import logging

from modelyard.foundation.errors import ModelyardError
from modelyard.scheduler.service.ports import Catalog, Jobs

log = logging.getLogger(__name__)

BATCH = 32


class Executions:
    def __init__(self, jobs: Jobs, catalog: Catalog) -> None:
        self._jobs = jobs
        self._catalog = catalog

    async def tell(self) -> bool:
        """True when there may be more to tell. Raises Unsettled when the catalog cannot be reached."""
        ended = await self._jobs.ended_executions(BATCH)
        for execution in ended:
            try:
                await self._catalog.end(execution.job, execution.attempt, execution.outcome)
            except ModelyardError as error:
                # It has ended already, or newer than we know: asking again would not change that.
                log.error("the catalog did not end an execution", extra={"job": execution.job, "error": error.message})
            await self._jobs.told(execution.id)
        return len(ended) == BATCH
