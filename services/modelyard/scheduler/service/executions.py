"""Tells the catalog which jobs have ended and which were deleted, again and again until it has heard.

After an end the job's inputs are free, after a deletion also the files that it stored beside its model.
"""

import logging

from modelyard.foundation.errors import ModelyardError
from modelyard.scheduler.service.ports import Catalog, DeletedJob, EndedExecution, Jobs

log = logging.getLogger(__name__)

BATCH = 32


class Executions:
    def __init__(self, jobs: Jobs, catalog: Catalog) -> None:
        self._jobs = jobs
        self._catalog = catalog

    async def tell(self) -> bool:
        """True when there may be more to tell. Raises Unsettled when the catalog cannot be reached."""
        untold = await self._jobs.untold(BATCH)
        for news in untold:
            try:
                await self._tell(news)
            except ModelyardError as error:
                # It has heard already, or knows of something newer: asking again would not change that.
                log.error("the catalog refused to hear of a job", extra={"job": news.job, "error": error.message})
            await self._jobs.told(news.id)
        return len(untold) == BATCH

    async def _tell(self, news: EndedExecution | DeletedJob) -> None:
        if isinstance(news, DeletedJob):
            await self._catalog.delete_files(news.job)
        else:
            await self._catalog.end(news.job, news.attempt, news.outcome, news.message)
