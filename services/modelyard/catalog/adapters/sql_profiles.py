"""Which job profiles a dataset version and what it found, in SQL."""

from sqlalchemy import Connection, insert, select, update

from modelyard.catalog.adapters.schema import artifacts, profiles, projects, trees, versions
from modelyard.catalog.adapters.sql_artifacts import TREE_COLUMNS, version_of
from modelyard.catalog.domain.artifacts import Version
from modelyard.catalog.domain.names import ArtifactName, Collection, JobName, OutputName
from modelyard.catalog.domain.statistics import Profiling, Statistics


class SqlProfiles:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, version: Version) -> Profiling:
        row = self._connection.execute(select(profiles).where(profiles.c.version_uid == version.uid)).one_or_none()
        if row is None:
            return Profiling("", None)
        if row.found is None:
            return Profiling(row.job, None)
        statistics = Statistics(version.name, JobName.parse(row.found_by), row.found, row.report, row.create_time)
        return Profiling(row.job, statistics)

    def expect(self, version: Version) -> None:
        values = {"version_uid": version.uid, "job": "", "found_by": "", "report": ""}
        self._connection.execute(insert(profiles).values(values))

    def set_job(self, version: Version, job: JobName) -> None:
        self._connection.execute(update(profiles).where(profiles.c.version_uid == version.uid).values(job=str(job)))

    def record(self, version: Version, statistics: Statistics) -> None:
        values = {
            "job": str(statistics.job),
            "found_by": str(statistics.job),
            "found": dict(statistics.found),
            "report": statistics.report,
            "create_time": statistics.create_time,
        }
        self._connection.execute(update(profiles).where(profiles.c.version_uid == version.uid).values(values))

    def dataset_of(self, report: OutputName) -> ArtifactName | None:
        query = (
            select(artifacts.c.id, projects.c.id.label("project"))
            .select_from(profiles)
            .join(versions, versions.c.uid == profiles.c.version_uid)
            .join(artifacts, artifacts.c.uid == versions.c.artifact_uid)
            .join(projects, projects.c.uid == artifacts.c.project_uid)
            # The job of a report is the one that has recorded it: there is an index on jobs.
            .where(profiles.c.job == str(report.job), profiles.c.report == str(report))
            .limit(1)
        )
        row = self._connection.execute(query).one_or_none()
        return ArtifactName(row.project, Collection.DATASETS, row.id) if row else None

    def unprofiled(self, after: int, limit: int) -> list[tuple[int, Version]]:
        query = (
            select(
                versions,
                *(trees.c[name] for name in TREE_COLUMNS),
                profiles.c.sequence,
                artifacts.c.id.label("dataset"),
                projects.c.id.label("project"),
            )
            .select_from(profiles)
            .join(versions, versions.c.uid == profiles.c.version_uid)
            .join(trees, trees.c.uid == versions.c.tree_uid)
            .join(artifacts, artifacts.c.uid == versions.c.artifact_uid)
            .join(projects, projects.c.uid == artifacts.c.project_uid)
            .where(profiles.c.job == "", profiles.c.sequence > after)
            .order_by(profiles.c.sequence)
            .limit(limit)
        )
        return [
            (row.sequence, version_of(row, ArtifactName(row.project, Collection.DATASETS, row.dataset)))
            for row in self._connection.execute(query)
        ]
