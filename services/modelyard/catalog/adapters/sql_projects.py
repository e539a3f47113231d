"""Projects in SQL."""

from collections.abc import Collection

from sqlalchemy import Connection, Row, delete, func, insert, select

from modelyard.catalog.adapters.schema import artifacts, checkpoints, executions, outputs, projects, uploads
from modelyard.catalog.domain.artifacts import Project
from modelyard.catalog.domain.errors import NameTaken
from modelyard.foundation.sql.engine import unique


class SqlProjects:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, project: str, *, lock: bool = False) -> Project | None:
        query = select(projects).where(projects.c.id == project)
        if lock:
            query = query.with_for_update(read=True)
        row = self._connection.execute(query).one_or_none()
        return _project(row) if row else None

    def lock(self, project: Project) -> None:
        self._connection.execute(select(projects.c.uid).where(projects.c.uid == project.uid).with_for_update())

    def page(self, after: str, limit: int, only: Collection[str] | None) -> list[Project]:
        query = select(projects).where(projects.c.id > after).order_by(projects.c.id).limit(limit)
        if only is not None:
            query = query.where(projects.c.id.in_(only))
        return [_project(row) for row in self._connection.execute(query)]

    def insert(self, project: Project) -> None:
        values = {
            "uid": project.uid,
            "id": project.id,
            "etag": project.etag,
            "display_name": project.display_name,
            "labels": dict(project.labels),
            "create_time": project.create_time,
            "update_time": project.update_time,
        }
        taken = NameTaken(f"{project.name} exists already; choose another project_id", resource=project.name)
        with unique(self._connection, lambda: taken):
            self._connection.execute(insert(projects).values(values))

    def delete(self, project: Project) -> None:
        self._connection.execute(delete(checkpoints).where(checkpoints.c.project_uid == project.uid))
        self._connection.execute(delete(outputs).where(outputs.c.project_uid == project.uid))
        self._connection.execute(delete(projects).where(projects.c.uid == project.uid))

    def contents(self, project: Project) -> list[str]:
        inside = select(artifacts.c.collection, artifacts.c.id).where(artifacts.c.project_uid == project.uid).limit(10)
        names = [f"{project.name}/{row.collection}/{row.id}" for row in self._connection.execute(inside)]
        busy = select(executions.c.consumer).where(
            executions.c.project_uid == project.uid, executions.c.state == "OPEN", executions.c.weak.is_(False)
        )
        names += [str(consumer) for consumer in self._connection.execute(busy.limit(10)).scalars()]
        coming = select(uploads.c.id).where(
            uploads.c.project_uid == project.uid, uploads.c.state.in_(("OPEN", "COMMITTING"))
        )
        names += [f"{project.name}/uploads/{upload}" for upload in self._connection.execute(coming.limit(10)).scalars()]
        return names

    def count(self) -> int:
        return self._connection.execute(select(func.count()).select_from(projects)).scalar_one()


def _project(row: Row[tuple[object, ...]]) -> Project:
    return Project(row.uid, row.id, row.etag, row.display_name, row.labels, row.create_time, row.update_time)
