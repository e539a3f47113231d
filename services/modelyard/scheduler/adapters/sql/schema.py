"""The scheduler's tables."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

from modelyard.foundation.sql.requests import requests_table
from modelyard.foundation.sql.types import UtcTime, json_type, row_id

metadata = MetaData()

OPENING = "OPENING"
"""A job's row whose inputs are not held yet; seen by nobody."""
DELETED = "DELETED"
"""What is left of a deleted job: its name, which is never used again."""

scheduler = Table(
    "scheduler",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
)
"""One row: the number of the process that may write."""

jobs = Table(
    "jobs",
    metadata,
    Column("order", row_id(), primary_key=True),
    Column("name", String(160), nullable=False, unique=True),
    Column("project", String(63), nullable=False),
    Column("uid", String(32), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("display_name", String(256), nullable=False),
    Column("labels", json_type(), nullable=False),
    Column("spec", json_type(), nullable=False),
    Column("creator", String(512), nullable=False),
    Column("state", String(16), nullable=False),
    Column("progress", json_type(), nullable=False),
    Column("attempt_number", Integer, nullable=False),
    Column("losses", Integer, nullable=False),
    Column("checkpoint_step", BigInteger, nullable=False),
    Column("not_before", UtcTime),
    Column("prepare_time", UtcTime),
    Column("start_time", UtcTime),
    Column("end_time", UtcTime),
    Column("model_version", String(256), nullable=False),
    Column("evaluation", String(320), nullable=False),
    Column("output_dataset_version", String(256), nullable=False),
    # Of its template; "" of a job from before there was this column.
    Column("kind", String(16), nullable=False),
    Column("failure_class", String(32), nullable=False),
    Column("failure_message", Text, nullable=False),
    Column("failure_detail", Text, nullable=False),
    Column("create_time", UtcTime, nullable=False),
    Column("update_time", UtcTime, nullable=False),
    Index("jobs_by_project", "project", "order"),
    Index("jobs_by_state", "state"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("job", String(160), ForeignKey("jobs.name"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("worker", String(80), nullable=False),
    Column("instance", String(64), nullable=False),
    Column("devices", json_type(), nullable=False),
    Column("state", String(16), nullable=False),
    Column("start_step", BigInteger, nullable=False),
    Column("report_sequence", BigInteger, nullable=False),
    Column("create_time", UtcTime, nullable=False),
    Column("start_time", UtcTime),
    Column("end_time", UtcTime),
    Column("stop", String(16), nullable=False),
    Column("stop_deadline", UtcTime),
    Column("failure_class", String(32), nullable=False),
    Column("failure_message", Text, nullable=False),
    Column("failure_detail", Text, nullable=False),
    Column("held", Boolean, nullable=False),
    Index("attempts_by_state", "state", "held"),
)

workers = Table(
    "workers",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("instance", String(64), nullable=False),
    Column("devices", json_type(), nullable=False),
    Column("hostname", String(256), nullable=False),
    Column("version", String(64), nullable=False),
    Column("tensorflow_version", String(64), nullable=False),
    Column("replaced", json_type(), nullable=False),
    Column("cordoned", Boolean, nullable=False),
    Column("drained", Boolean, nullable=False),
    Column("leaving", Boolean, nullable=False),
    Column("lost", Boolean, nullable=False),
    Column("create_time", UtcTime, nullable=False),
    Column("heartbeat_time", UtcTime, nullable=False),
    Column("lease_end", UtcTime, nullable=False),
)

log_chunks = Table(
    "log_chunks",
    metadata,
    Column("job", String(160), ForeignKey("jobs.name"), primary_key=True),
    Column("last", BigInteger, primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("line_count", Integer, nullable=False),
    Column("size", Integer, nullable=False),
    Column("lines", json_type(), nullable=False),
)
"""Log lines as they came: `lines` holds [microseconds, text], the cursor of the last one is `last`."""

metrics = Table(
    "metrics",
    metadata,
    Column("job", String(160), ForeignKey("jobs.name"), primary_key=True),
    Column("cursor", BigInteger, primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("time", UtcTime, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("metric", String(256), nullable=False),
    Column("value", Float(53)),
)
"""A value that is not a number is NULL: SQLite has no other word for it."""

outbox = Table(
    "outbox",
    metadata,
    Column("id", row_id(), primary_key=True),
    Column("job", String(160), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("outcome", String(16), nullable=False),
)
"""Ended executions and, with the outcome DELETED, deleted jobs that the catalog has not heard of."""

audit = Table(
    "audit",
    metadata,
    Column("id", row_id(), primary_key=True),
    Column("time", UtcTime, nullable=False, index=True),
    Column("subject", String(512), nullable=False),
    Column("token_id", String(64), nullable=False),
    Column("action", String(64), nullable=False),
    Column("resource", String(256), nullable=False),
    Column("request_id", String(64), nullable=False),
)

requests = requests_table(metadata)
