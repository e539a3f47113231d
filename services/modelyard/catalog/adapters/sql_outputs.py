"""Outputs of jobs in SQL."""

from typing import Any

from sqlalchemy import Connection, Row, Select, delete, insert, select

from modelyard.catalog.adapters.schema import outputs, trees
from modelyard.catalog.adapters.sql_trees import tree_of
from modelyard.catalog.domain.executions import Output
from modelyard.catalog.domain.names import JobName, OutputName


class SqlOutputs:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, project_uid: str, name: OutputName) -> Output | None:
        row = self._connection.execute(_outputs(project_uid, name.job).where(outputs.c.id == name.id)).one_or_none()
        return _output(row, name.job) if row else None

    def page(self, project_uid: str, job: JobName, after: str, limit: int) -> list[Output]:
        query = _outputs(project_uid, job).where(outputs.c.id > after).order_by(outputs.c.id).limit(limit)
        return [_output(row, job) for row in self._connection.execute(query)]

    def put(self, project_uid: str, output: Output) -> None:
        name = output.name
        self._connection.execute(
            delete(outputs).where(
                outputs.c.project_uid == project_uid, outputs.c.job == str(name.job), outputs.c.id == name.id
            )
        )
        values = {
            "project_uid": project_uid,
            "job": str(name.job),
            "id": name.id,
            "tree_uid": output.tree.uid,
            "attempt": output.attempt,
            "create_time": output.create_time,
        }
        self._connection.execute(insert(outputs).values(values))

    def delete(self, project_uid: str, job: JobName) -> int:
        its = (outputs.c.project_uid == project_uid, outputs.c.job == str(job))
        return self._connection.execute(delete(outputs).where(*its)).rowcount


def _outputs(project_uid: str, job: JobName) -> Select[Any]:
    columns = ("digest", "manifest_sha256", "manifest_bytes", "size_bytes", "file_count")
    return (
        select(outputs, *(trees.c[name] for name in columns))
        .join(trees, trees.c.uid == outputs.c.tree_uid)
        .where(outputs.c.project_uid == project_uid, outputs.c.job == str(job))
    )


def _output(row: Row[Any], job: JobName) -> Output:
    return Output(OutputName(job, row.id), tree_of(row, uid=row.tree_uid), row.attempt, row.create_time)
