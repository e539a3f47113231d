"""Logs and metrics: a bounded tail of each, read by cursor."""

import math
from collections.abc import Sequence

from sqlalchemy import Connection, Table, delete, func, insert, select, update

from modelyard.foundation.clock import from_micros, to_micros
from modelyard.foundation.sql.engine import Database
from modelyard.scheduler.adapters.sql.database import now as database_now
from modelyard.scheduler.adapters.sql.group import GroupCommit
from modelyard.scheduler.adapters.sql.journal import store_records
from modelyard.scheduler.adapters.sql.rows import progress_json
from modelyard.scheduler.adapters.sql.schema import attempts, jobs, log_chunks, metrics
from modelyard.scheduler.domain.jobs import Attempt, AttemptState
from modelyard.scheduler.domain.records import LogLine, MetricValue, Progress
from modelyard.scheduler.service.ports import Limits, ProgressSaved

_RUNNING = [AttemptState.ASSIGNED.value, AttemptState.PREPARING.value, AttemptState.RUNNING.value]


class SqlTelemetry:
    def __init__(self, database: Database, limits: Limits) -> None:
        self._database = database
        self._limits = limits
        self._group = GroupCommit(database)

    async def append(
        self,
        attempt: Attempt,
        sequence: int,
        start_step: int,
        logs: Sequence[LogLine],
        metrics: Sequence[MetricValue],
        progress: Progress | None,
    ) -> bool:
        def work(connection: Connection) -> bool:
            if not _claim(connection, attempt, sequence, start_step):
                return False
            if logs:
                self._add_logs(connection, attempt, logs)
            if metrics:
                self._add_metrics(connection, attempt, metrics)
            if progress is not None:
                values = {"progress": progress_json(progress), "update_time": database_now(connection)}
                connection.execute(update(jobs).where(jobs.c.name == attempt.job).values(values))
            return True

        return await self._group.run(work)

    async def logs(self, job: str, after: int, limit: int) -> Sequence[LogLine]:
        def work(connection: Connection) -> list[LogLine]:
            chunks = log_chunks.c
            query = select(log_chunks).where(chunks.job == job, chunks.last > after).order_by(chunks.last)
            found: list[LogLine] = []
            for row in connection.execute(query):
                first = row.last - row.line_count + 1
                found += [
                    LogLine(from_micros(time), text, row.attempt, first + index)
                    for index, (time, text) in enumerate(row.lines)
                    if first + index > after
                ]
                if len(found) >= limit:
                    break
            return found[:limit]

        return await self._database.read(work)

    async def metrics(self, job: str, after: int, limit: int) -> Sequence[MetricValue]:
        def work(connection: Connection) -> list[MetricValue]:
            query = select(metrics).where(metrics.c.job == job, metrics.c.cursor > after)
            rows = connection.execute(query.order_by(metrics.c.cursor).limit(limit))
            return [
                MetricValue(
                    row.time,
                    row.step,
                    row.metric,
                    math.nan if row.value is None else row.value,
                    row.attempt,
                    row.cursor,
                )
                for row in rows
            ]

        return await self._database.read(work)

    async def save_progress(self, progress: Sequence[ProgressSaved]) -> None:
        await self._database.run(lambda connection: store_records(connection, progress, database_now(connection)))

    def _add_logs(self, connection: Connection, attempt: Attempt, lines: Sequence[LogLine]) -> None:
        last = _last(connection, log_chunks, "last", attempt.job) + len(lines)
        values = {
            "job": attempt.job,
            "last": last,
            "attempt": attempt.number,
            "line_count": len(lines),
            "size": sum(len(line.text.encode()) for line in lines),
            "lines": [[to_micros(line.time), line.text] for line in lines],
        }
        connection.execute(insert(log_chunks).values(values))
        self._trim_logs(connection, attempt.job)

    def _trim_logs(self, connection: Connection, job: str) -> None:
        """Lets go of the oldest chunks beyond the limits; the newest always stays."""
        chunks = log_chunks.c
        query = select(chunks.last, chunks.line_count, chunks.size).where(chunks.job == job)
        line_count = size = 0
        for index, row in enumerate(connection.execute(query.order_by(chunks.last.desc())).all()):
            line_count, size = line_count + row.line_count, size + row.size
            if index and (line_count > self._limits.log_lines or size > self._limits.log_bytes):
                connection.execute(delete(log_chunks).where(chunks.job == job, chunks.last <= row.last))
                return

    def _add_metrics(self, connection: Connection, attempt: Attempt, values: Sequence[MetricValue]) -> None:
        last = _last(connection, metrics, "cursor", attempt.job)
        rows = [
            {
                "job": attempt.job,
                "cursor": last + index,
                "attempt": attempt.number,
                "time": point.time,
                "step": point.step,
                "metric": point.metric[:256],
                "value": None if math.isnan(point.value) else point.value,
            }
            for index, point in enumerate(values, 1)
        ]
        connection.execute(insert(metrics), rows)
        oldest = last + len(rows) - self._limits.metric_points
        if oldest > 0:
            connection.execute(delete(metrics).where(metrics.c.job == attempt.job, metrics.c.cursor <= oldest))


def _claim(connection: Connection, attempt: Attempt, sequence: int, start_step: int) -> bool:
    """False for a report that was stored before, and for an attempt that is over."""
    its = attempts.c
    claimed = (
        update(attempts)
        .where(its.job == attempt.job, its.number == attempt.number)
        .where(its.report_sequence < sequence, its.state.in_(_RUNNING))
        .values(report_sequence=sequence, start_step=start_step)
    )
    return connection.execute(claimed).rowcount == 1


def _last(connection: Connection, table: Table, column: str, job: str) -> int:
    newest = connection.execute(select(func.max(table.c[column])).where(table.c.job == job)).scalar_one()
    return int(newest or 0)
