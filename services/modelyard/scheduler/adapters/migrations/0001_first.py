"""The first tables."""

import sqlalchemy as sa
from alembic import op

from modelyard.foundation.sql.requests import requests_columns
from modelyard.foundation.sql.types import UtcTime, json_type, row_id

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    jobs()
    attempts_and_workers()
    telemetry()
    bookkeeping()


def jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("order", row_id(), primary_key=True),
        sa.Column("name", sa.String(160), nullable=False, unique=True),
        sa.Column("project", sa.String(63), nullable=False),
        sa.Column("uid", sa.String(32), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("display_name", sa.String(256), nullable=False),
        sa.Column("labels", json_type(), nullable=False),
        sa.Column("spec", json_type(), nullable=False),
        sa.Column("creator", sa.String(512), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("progress", json_type(), nullable=False),
        sa.Column("attempt_number", sa.Integer, nullable=False),
        sa.Column("losses", sa.Integer, nullable=False),
        sa.Column("not_before", UtcTime),
        sa.Column("prepare_time", UtcTime),
        sa.Column("start_time", UtcTime),
        sa.Column("end_time", UtcTime),
        sa.Column("model_version", sa.String(256), nullable=False),
        sa.Column("failure_class", sa.String(16), nullable=False),
        sa.Column("failure_message", sa.Text, nullable=False),
        sa.Column("failure_detail", sa.Text, nullable=False),
        sa.Column("create_time", UtcTime, nullable=False),
        sa.Column("update_time", UtcTime, nullable=False),
    )
    op.create_index("jobs_by_project", "jobs", ["project", "order"])
    op.create_index("jobs_by_state", "jobs", ["state"])


def attempts_and_workers() -> None:
    op.create_table(
        "attempts",
        sa.Column("job", sa.String(160), sa.ForeignKey("jobs.name"), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("worker", sa.String(80), nullable=False),
        sa.Column("instance", sa.String(64), nullable=False),
        sa.Column("devices", json_type(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("start_step", sa.BigInteger, nullable=False),
        sa.Column("report_sequence", sa.BigInteger, nullable=False),
        sa.Column("create_time", UtcTime, nullable=False),
        sa.Column("start_time", UtcTime),
        sa.Column("end_time", UtcTime),
        sa.Column("stop", sa.String(16), nullable=False),
        sa.Column("stop_deadline", UtcTime),
        sa.Column("failure_class", sa.String(16), nullable=False),
        sa.Column("failure_message", sa.Text, nullable=False),
        sa.Column("failure_detail", sa.Text, nullable=False),
        sa.Column("held", sa.Boolean, nullable=False),
    )
    op.create_index("attempts_by_state", "attempts", ["state", "held"])
    op.create_table(
        "workers",
        sa.Column("name", sa.String(80), primary_key=True),
        sa.Column("instance", sa.String(64), nullable=False),
        sa.Column("devices", json_type(), nullable=False),
        sa.Column("hostname", sa.String(256), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("tensorflow_version", sa.String(64), nullable=False),
        sa.Column("replaced", json_type(), nullable=False),
        sa.Column("cordoned", sa.Boolean, nullable=False),
        sa.Column("drained", sa.Boolean, nullable=False),
        sa.Column("leaving", sa.Boolean, nullable=False),
        sa.Column("lost", sa.Boolean, nullable=False),
        sa.Column("create_time", UtcTime, nullable=False),
        sa.Column("heartbeat_time", UtcTime, nullable=False),
        sa.Column("lease_end", UtcTime, nullable=False),
    )


def telemetry() -> None:
    op.create_table(
        "log_chunks",
        sa.Column("job", sa.String(160), sa.ForeignKey("jobs.name"), primary_key=True),
        sa.Column("last", sa.BigInteger, primary_key=True),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("line_count", sa.Integer, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("lines", json_type(), nullable=False),
    )
    op.create_table(
        "metrics",
        sa.Column("job", sa.String(160), sa.ForeignKey("jobs.name"), primary_key=True),
        sa.Column("cursor", sa.BigInteger, primary_key=True),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("time", UtcTime, nullable=False),
        sa.Column("step", sa.BigInteger, nullable=False),
        sa.Column("metric", sa.String(256), nullable=False),
        sa.Column("value", sa.Float(53)),
    )


def bookkeeping() -> None:
    scheduler = op.create_table(
        "scheduler",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(scheduler, [{"id": 1, "epoch": 0}])
    op.create_table(
        "outbox",
        sa.Column("id", row_id(), primary_key=True),
        sa.Column("job", sa.String(160), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("id", row_id(), primary_key=True),
        sa.Column("time", UtcTime, nullable=False, index=True),
        sa.Column("subject", sa.String(512), nullable=False),
        sa.Column("token_id", sa.String(64), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("resource", sa.String(256), nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
    )
    op.create_table("requests", *requests_columns())
