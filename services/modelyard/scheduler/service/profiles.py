"""Gives every dataset version the job that profiles it: asks the catalog which have none, again and again.

What a crash leaves half-way is done at the next turn: the request by which a job is created is the same each time, and
the catalog names a version until it has heard of the job. A job that fails is not made again; people may.
"""

import logging
from datetime import datetime, timedelta

from modelyard.foundation.auth.identity import INSTALLATION_PROJECT, Identity
from modelyard.foundation.errors import Kind as ErrorKind
from modelyard.foundation.errors import ModelyardError
from modelyard.foundation.ids import new_uid, project_of
from modelyard.scheduler.domain.jobs import JobState
from modelyard.scheduler.domain.records import JobSpec
from modelyard.scheduler.service.engine import Engine
from modelyard.scheduler.service.jobs import Jobs, NewJob
from modelyard.scheduler.service.ports import Catalog, RequestKey, Unprofiled
from modelyard.templates.specs import Kind

log = logging.getLogger(__name__)

BATCH = 16
"""Jobs made in one turn."""
MOST_WAITING = 64
"""Jobs that may wait in the queue; the catalog remembers the other versions."""
_PASSING = frozenset({ErrorKind.UNAVAILABLE, ErrorKind.DEADLINE})
SCHEDULER = Identity("services/scheduler", "scheduler", "", {INSTALLATION_PROJECT: "service"}, datetime.max)
"""In whose name they are made."""


class Profiles:
    def __init__(self, engine: Engine, jobs: Jobs, catalog: Catalog, max_runtime_s: float) -> None:
        self._engine = engine
        self._jobs = jobs
        self._catalog = catalog
        self._max_runtime = timedelta(seconds=max_runtime_s)
        self._given_up: dict[str, str] = {}
        """Why this process makes no job for a version, by the version's uid."""

    async def make(self) -> bool:
        """True when there may be more to do. Raises what passes: the catalog can't be reached."""
        template = next((one.name for one in self._jobs.templates() if one.kind is Kind.PROFILE), None)
        room = min(BATCH, MOST_WAITING - self._waiting())
        if template is None or room <= 0:
            return False
        found = await self._catalog.unprofiled(room + len(self._given_up))
        fresh = [version for version in found if version.uid not in self._given_up][:room]
        for version in fresh:
            try:
                await self._make_one(template, version)
            except ModelyardError as error:
                if error.kind in _PASSING:
                    raise
                self._give_up(version, error)
        return len(fresh) == room

    async def _make_one(self, template: str, version: Unprofiled) -> None:
        spec = JobSpec(template=template, dataset_version=version.version, max_runtime=self._max_runtime)
        new = NewJob(project_of(version.version), f"profile-{new_uid()[:12]}", spec, "", {})
        key = RequestKey(f"profile-{version.uid}", SCHEDULER.subject, "CreateJob", version.version.encode())
        job = (await self._jobs.create(SCHEDULER, new, key, validate_only=False)).record.name
        await self._catalog.set_profile_job(version.version, job)
        log.info("a dataset version is profiled", extra={"version": version.version, "job": job})

    def _give_up(self, version: Unprofiled, error: ModelyardError) -> None:
        if error.kind is ErrorKind.NOT_FOUND:
            return  # it was deleted since, and the catalog names it no more
        self._given_up[version.uid] = error.message
        log.warning("a dataset version can't be profiled", extra={"version": version.version, "error": error.message})

    def _waiting(self) -> int:
        jobs = self._engine.state.jobs.values()
        return sum(1 for job in jobs if job.state is JobState.QUEUED and job.ask.beside)
