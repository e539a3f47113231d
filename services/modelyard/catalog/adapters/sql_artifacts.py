"""Datasets, models, packages and their versions in SQL."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, delete, func, insert, select, update

from modelyard.catalog.adapters.model_info_json import info_of, info_to_json
from modelyard.catalog.adapters.schema import (
    aliases,
    artifacts,
    evaluations,
    execution_versions,
    executions,
    last_numbers,
    profiles,
    projects,
    trees,
    versions,
)
from modelyard.catalog.adapters.sql_trees import tree_of
from modelyard.catalog.domain.artifacts import Artifact, Profile, Version
from modelyard.catalog.domain.errors import NameTaken
from modelyard.catalog.domain.kinds import PackageKind
from modelyard.catalog.domain.names import ArtifactName, Collection, JobName
from modelyard.foundation.sql.engine import unique

TREE_COLUMNS = ("project_uid", "digest", "manifest_sha256", "manifest_bytes", "size_bytes", "file_count")


class SqlArtifacts:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, name: ArtifactName, *, lock: bool = False) -> Artifact | None:
        query = _artifacts().where(
            projects.c.id == name.project, artifacts.c.collection == name.collection, artifacts.c.id == name.id
        )
        if lock:
            query = query.with_for_update(of=artifacts)
        row = self._connection.execute(query).one_or_none()
        return self._with_aliases([row])[0] if row else None

    def page(self, project_uid: str, collection: Collection, after: str, limit: int) -> list[Artifact]:
        query = (
            _artifacts()
            .where(artifacts.c.project_uid == project_uid, artifacts.c.collection == collection, artifacts.c.id > after)
            .order_by(artifacts.c.id)
            .limit(limit)
        )
        return self._with_aliases(list(self._connection.execute(query)))

    def insert(self, artifact: Artifact) -> None:
        values = {
            "uid": artifact.uid,
            "project_uid": artifact.project_uid,
            "collection": artifact.name.collection,
            "id": artifact.name.id,
            "create_time": artifact.create_time,
            **_changeable(artifact),
        }
        taken = NameTaken(f"{artifact.name} exists already; choose another name", resource=str(artifact.name))
        with unique(self._connection, lambda: taken):
            self._connection.execute(insert(artifacts).values(values))
        # Read behind the insert, which has waited for the end of a deletion of the same name.
        given = select(last_numbers.c.last_number).where(*_numbered(artifact.name)).scalar_subquery()
        self._connection.execute(
            update(artifacts).where(artifacts.c.uid == artifact.uid).values(last_number=func.coalesce(given, 0))
        )

    def update(self, artifact: Artifact) -> None:
        self._connection.execute(update(artifacts).where(artifacts.c.uid == artifact.uid).values(_changeable(artifact)))

    def delete(self, artifact: Artifact) -> None:
        self._keep_number(artifact)
        self._connection.execute(delete(aliases).where(aliases.c.artifact_uid == artifact.uid))
        its = select(versions.c.uid).where(versions.c.artifact_uid == artifact.uid)
        for table in (evaluations, profiles):
            self._connection.execute(delete(table).where(table.c.version_uid.in_(its)))
        self._connection.execute(delete(versions).where(versions.c.artifact_uid == artifact.uid))
        self._connection.execute(delete(artifacts).where(artifacts.c.uid == artifact.uid))

    def set_alias(self, artifact: Artifact, alias: str, number: int) -> None:
        self.delete_alias(artifact, alias)
        values = {"artifact_uid": artifact.uid, "alias": alias, "number": number}
        self._connection.execute(insert(aliases).values(values))

    def delete_alias(self, artifact: Artifact, alias: str) -> None:
        self._connection.execute(
            delete(aliases).where(aliases.c.artifact_uid == artifact.uid, aliases.c.alias == alias)
        )

    def _keep_number(self, artifact: Artifact) -> None:
        name = artifact.name
        self._connection.execute(delete(last_numbers).where(*_numbered(name)))
        values = {"project": name.project, "collection": name.collection, "id": name.id}
        self._connection.execute(insert(last_numbers).values(values | {"last_number": artifact.last_number}))

    def _with_aliases(self, rows: list[Row[Any]]) -> list[Artifact]:
        found: dict[str, dict[str, int]] = {row.uid: {} for row in rows}
        query = select(aliases).where(aliases.c.artifact_uid.in_(found)).order_by(aliases.c.alias)
        for alias in self._connection.execute(query):
            found[alias.artifact_uid][alias.alias] = alias.number
        return [_artifact(row, found[row.uid]) for row in rows]


class SqlVersions:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, artifact: Artifact, number: int, *, lock: bool = False) -> Version | None:
        query = _versions(artifact).where(versions.c.number == number)
        if lock:
            query = query.with_for_update(read=True, of=versions)
        row = self._connection.execute(query).one_or_none()
        return version_of(row, artifact.name) if row else None

    def by_job(self, artifact: Artifact, job: JobName) -> Version | None:
        row = self._connection.execute(_versions(artifact).where(versions.c.job == str(job))).one_or_none()
        return version_of(row, artifact.name) if row else None

    def by_digest(self, artifact: Artifact, digest: str) -> Version | None:
        query = _versions(artifact).where(trees.c.digest == digest).order_by(versions.c.number.desc()).limit(1)
        row = self._connection.execute(query).one_or_none()
        return version_of(row, artifact.name) if row else None

    def page(self, artifact: Artifact, before: int | None, limit: int) -> list[Version]:
        query = _versions(artifact).order_by(versions.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(versions.c.number < before)
        return [version_of(row, artifact.name) for row in self._connection.execute(query)]

    def insert(self, artifact: Artifact, version: Version, job: JobName | None) -> None:
        values = {
            "uid": version.uid,
            "artifact_uid": artifact.uid,
            "number": version.number,
            "tree_uid": version.tree.uid,
            "labels": dict(version.labels),
            "creator": version.creator,
            "job": str(job) if job else None,
            "info": info_to_json(version.info),
            "create_time": version.create_time,
        }
        self._connection.execute(insert(versions).values(values))

    def delete(self, version: Version) -> None:
        for table in (evaluations, profiles):
            self._connection.execute(delete(table).where(table.c.version_uid == version.uid))
        self._connection.execute(delete(versions).where(versions.c.uid == version.uid))

    def lock(self, artifact: Artifact) -> None:
        query = select(versions.c.uid).where(versions.c.artifact_uid == artifact.uid).order_by(versions.c.number)
        self._connection.execute(query.with_for_update()).all()

    def holders(self, artifact: Artifact, number: int | None) -> list[str]:
        query = (
            select(executions.c.consumer)
            .distinct()
            .select_from(
                executions.join(execution_versions, execution_versions.c.execution_uid == executions.c.uid).join(
                    versions, versions.c.uid == execution_versions.c.version_uid
                )
            )
            .where(
                executions.c.state == "OPEN",
                executions.c.weak.is_(False),
                execution_versions.c.role == "input",
                versions.c.artifact_uid == artifact.uid,
            )
            .order_by(executions.c.consumer)
            .limit(100)
        )
        if number is not None:
            query = query.where(versions.c.number == number)
        return list(self._connection.execute(query).scalars())


def _numbered(name: ArtifactName) -> tuple[ColumnElement[bool], ...]:
    return (
        last_numbers.c.project == name.project,
        last_numbers.c.collection == name.collection,
        last_numbers.c.id == name.id,
    )


def _artifacts() -> Select[Any]:
    latest = (
        select(func.max(versions.c.number))
        .where(versions.c.artifact_uid == artifacts.c.uid)
        .scalar_subquery()
        .label("latest_version")
    )
    return select(artifacts, projects.c.id.label("project"), latest).join(
        projects, projects.c.uid == artifacts.c.project_uid
    )


def _versions(artifact: Artifact) -> Select[Any]:
    return (
        select(
            versions,
            *(trees.c[name] for name in TREE_COLUMNS),
        )
        .join(trees, trees.c.uid == versions.c.tree_uid)
        .where(versions.c.artifact_uid == artifact.uid)
    )


def _changeable(artifact: Artifact) -> dict[str, object]:
    return {
        "etag": artifact.etag,
        "display_name": artifact.profile.display_name,
        "description": artifact.profile.description,
        "labels": dict(artifact.profile.labels),
        "update_time": artifact.update_time,
        "last_number": artifact.last_number,
        "kind": artifact.kind,
    }


def _artifact(row: Row[Any], its_aliases: Mapping[str, int]) -> Artifact:
    return Artifact(
        uid=row.uid,
        project_uid=row.project_uid,
        name=ArtifactName(row.project, Collection(row.collection), row.id),
        etag=row.etag,
        profile=Profile(row.display_name, row.description, row.labels),
        create_time=row.create_time,
        update_time=row.update_time,
        last_number=row.last_number,
        kind=PackageKind(row.kind),
        latest_version=row.latest_version or 0,
        aliases=its_aliases,
    )


def version_of(row: Row[Any], artifact: ArtifactName) -> Version:
    return Version(
        uid=row.uid,
        artifact=artifact,
        number=row.number,
        tree=tree_of(row, uid=row.tree_uid),
        labels=row.labels,
        creator=row.creator,
        create_time=row.create_time,
        info=info_of(row.info),
    )
