"""Evaluations of model versions in SQL."""

from typing import Any

from sqlalchemy import Connection, Row, insert, select

from modelyard.catalog.adapters.schema import evaluations
from modelyard.catalog.domain.artifacts import Version
from modelyard.catalog.domain.evaluations import Evaluation, Measured
from modelyard.catalog.domain.names import JobName
from modelyard.catalog.service.ports import DatasetFilter


class SqlEvaluations:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, model: Version, job: JobName) -> Evaluation | None:
        query = select(evaluations).where(evaluations.c.version_uid == model.uid, evaluations.c.job == str(job))
        row = self._connection.execute(query).one_or_none()
        return _evaluation(row, model) if row else None

    def page(self, model: Version, only: DatasetFilter | None, before: int | None, limit: int) -> list[Evaluation]:
        query = select(evaluations).where(evaluations.c.version_uid == model.uid)
        if only is not None:
            its = evaluations.c.dataset_uid == only.uid if only.uid else evaluations.c.dataset == only.name
            query = query.where(its)
        if before is not None:
            query = query.where(evaluations.c.sequence < before)
        rows = self._connection.execute(query.order_by(evaluations.c.sequence.desc()).limit(limit))
        return [_evaluation(row, model) for row in rows]

    def insert(self, model: Version, evaluation: Evaluation) -> None:
        measured = evaluation.measured
        values = {
            "version_uid": model.uid,
            "job": str(evaluation.job),
            "dataset": evaluation.dataset,
            "dataset_uid": evaluation.dataset_uid,
            "dataset_digest": evaluation.dataset_digest,
            "split": measured.split,
            "example_count": measured.example_count,
            "metrics": dict(measured.metrics),
            "report": measured.report,
            "creator": evaluation.creator,
            "create_time": evaluation.create_time,
        }
        self._connection.execute(insert(evaluations).values(values))


def _evaluation(row: Row[Any], model: Version) -> Evaluation:
    return Evaluation(
        model=model.name,
        job=JobName.parse(row.job),
        dataset=row.dataset,
        dataset_digest=row.dataset_digest,
        dataset_uid=row.dataset_uid,
        measured=Measured(row.split, row.example_count, row.metrics, row.report),
        creator=row.creator,
        create_time=row.create_time,
        sequence=row.sequence,
    )
