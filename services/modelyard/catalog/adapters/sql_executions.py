"""Executions and checkpoints in SQL."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, insert, select, update

from modelyard.catalog.adapters.schema import checkpoints, execution_versions, executions, trees
from modelyard.catalog.adapters.sql_trees import tree_of
from modelyard.catalog.domain.executions import Checkpoint, Execution, ExecutionState, Ref
from modelyard.catalog.domain.names import CheckpointName, JobName
from modelyard.foundation.ids import matches, project_of

_MOST = 2000


class SqlCheckpoints:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, project_uid: str, name: CheckpointName) -> Checkpoint | None:
        row = self._connection.execute(
            _checkpoints(project_uid, name.job).where(checkpoints.c.step == name.step)
        ).one_or_none()
        return _checkpoint(row, name.job) if row else None

    def page(self, project_uid: str, job: JobName, before: int | None, limit: int) -> list[Checkpoint]:
        query = _checkpoints(project_uid, job).order_by(checkpoints.c.step.desc()).limit(limit)
        if before is not None:
            query = query.where(checkpoints.c.step < before)
        return [_checkpoint(row, job) for row in self._connection.execute(query)]

    def put(self, project_uid: str, checkpoint: Checkpoint) -> None:
        name = checkpoint.name
        self._connection.execute(
            delete(checkpoints).where(
                checkpoints.c.project_uid == project_uid,
                checkpoints.c.job == str(name.job),
                checkpoints.c.step == name.step,
            )
        )
        values = {
            "project_uid": project_uid,
            "job": str(name.job),
            "step": name.step,
            "tree_uid": checkpoint.tree.uid,
            "attempt": checkpoint.attempt,
            "create_time": checkpoint.create_time,
        }
        self._connection.execute(insert(checkpoints).values(values))

    def prune(self, project_uid: str, job: JobName, keep: int) -> None:
        its = (checkpoints.c.project_uid == project_uid, checkpoints.c.job == str(job))
        newest = select(checkpoints.c.step).where(*its).order_by(checkpoints.c.step.desc()).limit(keep)
        steps = list(self._connection.execute(newest).scalars())
        self._connection.execute(delete(checkpoints).where(*its, checkpoints.c.step.not_in(steps)))

    def delete(self, project_uid: str, job: JobName) -> int:
        its = (checkpoints.c.project_uid == project_uid, checkpoints.c.job == str(job))
        return self._connection.execute(delete(checkpoints).where(*its)).rowcount


class SqlExecutions:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def newest(self, project_uid: str, consumer: str, *, lock: bool = False) -> Execution | None:
        query = (
            select(executions)
            .where(executions.c.project_uid == project_uid, executions.c.consumer == consumer)
            .order_by(executions.c.create_time.desc(), executions.c.uid.desc())
            .limit(1)
        )
        if lock:
            query = query.with_for_update()
        row = self._connection.execute(query).one_or_none()
        return self._whole([row])[0] if row else None

    def insert(self, project_uid: str, execution: Execution) -> None:
        values = {
            "uid": execution.uid,
            "project_uid": project_uid,
            "consumer": execution.consumer,
            "attempt": execution.attempt,
            "requested": list(execution.requested),
            "output_dataset": execution.output_dataset,
            "weak": execution.weak,
            "state": execution.state.value,
            "message": execution.message,
            "create_time": execution.create_time,
        }
        self._connection.execute(insert(executions).values(values))
        self._insert_inputs(execution, execution.inputs)

    def begin_attempt(self, execution: Execution, attempt: int) -> None:
        self._connection.execute(update(executions).where(executions.c.uid == execution.uid).values(attempt=attempt))

    def replace_inputs(self, execution: Execution, requested: Sequence[str], inputs: Sequence[Ref]) -> None:
        versions = execution_versions.c
        self._connection.execute(
            delete(execution_versions).where(versions.execution_uid == execution.uid, versions.role == "input")
        )
        self._insert_inputs(execution, inputs)
        self._connection.execute(
            update(executions).where(executions.c.uid == execution.uid).values(requested=list(requested))
        )

    def add_output(self, execution: Execution, output: Ref) -> None:
        versions = execution_versions.c
        known = select(func.count()).where(
            versions.execution_uid == execution.uid,
            versions.role == "output",
            versions.version_uid == output.version_uid,
        )
        if not self._connection.execute(known).scalar_one():
            self._connection.execute(insert(execution_versions).values(_ref_row(execution, "output", 0, output)))

    def end(self, execution: Execution, attempt: int, state: ExecutionState, message: str, time: datetime) -> None:
        self._connection.execute(
            update(executions)
            .where(executions.c.uid == execution.uid)
            .values(attempt=attempt, state=state.value, message=message, end_time=time)
        )

    def version_uids(self, project_uid: str, name: str) -> list[str]:
        query = (
            select(execution_versions.c.version_uid)
            .distinct()
            .join(executions, executions.c.uid == execution_versions.c.execution_uid)
            .where(executions.c.project_uid == project_uid, execution_versions.c.name == name)
            .limit(_MOST)
        )
        return list(self._connection.execute(query).scalars())

    def touching(self, project_uid: str, version_uids: Collection[str]) -> list[Execution]:
        query = (
            select(executions)
            .where(
                executions.c.project_uid == project_uid,
                executions.c.uid.in_(
                    select(execution_versions.c.execution_uid).where(
                        execution_versions.c.version_uid.in_(sorted(version_uids)[:_MOST])
                    )
                ),
            )
            .order_by(executions.c.create_time, executions.c.uid)
            .limit(_MOST)
        )
        return self._whole(list(self._connection.execute(query)))

    def _insert_inputs(self, execution: Execution, inputs: Sequence[Ref]) -> None:
        if inputs:
            rows = [_ref_row(execution, "input", position, ref) for position, ref in enumerate(inputs)]
            self._connection.execute(insert(execution_versions), rows)

    def _whole(self, rows: list[Row[Any]]) -> list[Execution]:
        refs: dict[tuple[str, str], list[Ref]] = {}
        query = (
            select(execution_versions)
            .where(execution_versions.c.execution_uid.in_([row.uid for row in rows]))
            .order_by(execution_versions.c.position, execution_versions.c.name)
        )
        for ref in self._connection.execute(query):
            found = refs.setdefault((ref.execution_uid, ref.role), [])
            found.append(Ref(ref.name, ref.digest, ref.version_uid))
        return [self._execution(row, refs) for row in rows]

    def _execution(self, row: Row[Any], refs: dict[tuple[str, str], list[Ref]]) -> Execution:
        return Execution(
            uid=row.uid,
            project=project_of(row.consumer),
            consumer=row.consumer,
            attempt=row.attempt,
            requested=tuple(row.requested),
            inputs=tuple(refs.get((row.uid, "input"), ())),
            outputs=tuple(refs.get((row.uid, "output"), ())),
            state=ExecutionState(row.state),
            create_time=row.create_time,
            end_time=row.end_time,
            last_checkpoint=self._last_checkpoint(row),
            output_dataset=row.output_dataset,
            weak=row.weak,
            message=row.message,
        )

    def _last_checkpoint(self, row: Row[Any]) -> Checkpoint | None:
        if not matches("projects/{project}/jobs/{job}", row.consumer):
            return None
        newest = SqlCheckpoints(self._connection).page(row.project_uid, JobName.parse(row.consumer), None, 1)
        return newest[0] if newest else None


def _ref_row(execution: Execution, role: str, position: int, ref: Ref) -> dict[str, object]:
    return {
        "execution_uid": execution.uid,
        "role": role,
        "version_uid": ref.version_uid,
        "position": position,
        "name": ref.name,
        "digest": ref.digest,
    }


def _checkpoints(project_uid: str, job: JobName) -> Select[Any]:
    columns = ("digest", "manifest_sha256", "manifest_bytes", "size_bytes", "file_count")
    return (
        select(checkpoints, *(trees.c[name] for name in columns))
        .join(trees, trees.c.uid == checkpoints.c.tree_uid)
        .where(checkpoints.c.project_uid == project_uid, checkpoints.c.job == str(job))
    )


def _checkpoint(row: Row[Any], job: JobName) -> Checkpoint:
    return Checkpoint(CheckpointName(job, row.step), tree_of(row, uid=row.tree_uid), row.attempt, row.create_time)
