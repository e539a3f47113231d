"""Statistics of dataset versions: recorded by the job that profiles one, asked for by people."""

from collections.abc import Mapping
from typing import Any

from modelyard.catalog.domain.artifacts import Version
from modelyard.catalog.domain.errors import OnlyAttempts
from modelyard.catalog.domain.executions import Attempt
from modelyard.catalog.domain.names import JobName, VersionName, check_same_project
from modelyard.catalog.domain.statistics import Statistics, missing
from modelyard.catalog.service.access import attempt_from, check_fenced, check_uses
from modelyard.catalog.service.audit import audit_row
from modelyard.catalog.service.evaluations import input_of, report_of
from modelyard.catalog.service.existing import existing_job_tree, existing_project, existing_version
from modelyard.catalog.service.ports import Catalog, Transaction
from modelyard.foundation.auth.identity import Identity
from modelyard.foundation.clock import Clock
from modelyard.foundation.errors import InvalidArgument

AT = "statistics"


class StatisticsService:
    def __init__(self, catalog: Catalog, clock: Clock) -> None:
        self._catalog = catalog
        self._clock = clock

    async def record(self, caller: Identity, dataset: VersionName, found: Mapping[str, Any], report: str) -> Statistics:
        """One for each version: what a job recorded first stays, also for a later attempt; another job replaces it."""
        attempt = _attempt(caller, dataset)
        _check_number(dataset, f"{AT}.dataset_version")
        page = report_of(report, attempt.job, AT)

        def work(tx: Transaction) -> Statistics:
            project = existing_project(tx, attempt.job.project, lock=True)
            version = existing_version(tx, dataset, lock=True)
            known = tx.profiles.get(version).statistics
            if known is not None and known.job == attempt.job:
                return known
            execution = check_fenced(tx, project.uid, caller.subject)
            input_of(execution, dataset, f"{AT}.dataset_version")
            if page is not None:
                existing_job_tree(tx, project.uid, page, f"{AT}.report")
            now = self._clock.now()
            statistics = Statistics(version.name, attempt.job, found, report, now)
            tx.profiles.record(version, statistics)
            tx.audit(audit_row(caller, "RecordStatistics", version.name, now))
            return statistics

        return await self._catalog.run(work)

    async def get(self, caller: Identity, name: VersionName) -> Statistics:
        """An attempt sees those of all versions of a dataset that it has one of.

        Raises StatisticsPending or StatisticsNotAvailable, which say what became of the job.
        """

        def work(tx: Transaction) -> Statistics:
            project = existing_project(tx, name.artifact.project)
            check_uses(tx, caller, name.artifact, project.uid)
            version = existing_version(tx, name)
            profiling = tx.profiles.get(version)
            if profiling.statistics is not None:
                return profiling.statistics
            execution = tx.executions.newest(project.uid, profiling.job) if profiling.job else None
            raise missing(version.name, profiling.job, execution)

        return await self._catalog.read(work)

    async def unprofiled(self, after: int | None, limit: int) -> list[tuple[int, Version]]:
        """Dataset versions of all projects that no job profiles, oldest first, each with its place in the list."""
        return await self._catalog.read(lambda tx: tx.profiles.unprofiled(after or 0, limit))

    async def set_job(self, caller: Identity, name: VersionName, job: JobName) -> None:
        check_same_project(name.artifact.project, job.project, "job")
        _check_number(name, "name")

        def work(tx: Transaction) -> None:
            version = existing_version(tx, name, lock=True)
            tx.profiles.set_job(version, job)
            tx.audit(audit_row(caller, "SetProfileJob", version.name, self._clock.now()))

        await self._catalog.run(work)


def _attempt(caller: Identity, dataset: VersionName) -> Attempt:
    attempt = attempt_from(caller, dataset.artifact.project)
    if attempt is None:
        raise OnlyAttempts(f"statistics of {dataset} come from jobs only", resource=str(dataset))
    return attempt


def _check_number(name: VersionName, field: str) -> None:
    if name.number is None:
        raise InvalidArgument(f"{field} must end in a version's number; got {name.reference!r}", field=field)
