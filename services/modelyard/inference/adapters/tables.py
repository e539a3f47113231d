"""The tables of this service; `migrations/` makes them."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, MetaData, String, Table, Text

from modelyard.foundation.sql.requests import requests_table
from modelyard.foundation.sql.types import UtcTime, json_type, row_id

metadata = MetaData()

deployments = Table(
    "deployments",
    metadata,
    Column("name", String(256), primary_key=True),
    Column("project", String(63), nullable=False, index=True),
    Column("uid", String(32), nullable=False),
    Column("etag", String(32), nullable=False),
    Column("target", json_type(), nullable=False),
    Column("fallback", json_type()),
    Column("creator", String(512), nullable=False),
    Column("create_time", UtcTime, nullable=False),
    Column("update_time", UtcTime, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("labels", json_type(), nullable=False),
    Column("trial", Integer, nullable=False),
    Column("deleting", Boolean, nullable=False),
    Column("state", Integer, nullable=False),
    Column("message", Text, nullable=False),
    Column("serving_version", String(256), nullable=False),
)

hosts = Table(
    "hosts",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("instance_id", String(64), nullable=False),
    Column("previous_instance_id", String(64), nullable=False),
    Column("create_time", UtcTime, nullable=False),
    Column("heartbeat_time", UtcTime, nullable=False),
    Column("hostname", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("model_server", Text, nullable=False),
    Column("leaving", Boolean, nullable=False),
    Column("drained", Boolean, nullable=False),
    Column("lost", Boolean, nullable=False),
    Column("served", json_type(), nullable=False),
)

assignments = Table(
    "assignments",
    metadata,
    Column("deployment", String(256), primary_key=True),
    Column("model_version", String(256), primary_key=True),
    Column("host", String(128), primary_key=True),
    Column("digest", String(80), nullable=False),
    Column("serving_name", String(128), nullable=False),
    Column("batching", Boolean, nullable=False),
    Column("foreign", Boolean, nullable=False),
    Column("create_time", UtcTime, nullable=False),
    Column("trial", Integer, nullable=False),
    Column("retire_time", UtcTime),
    Column("stopping", Boolean, nullable=False),
)

holds = Table(
    "holds",
    metadata,
    Column("deployment", String(256), primary_key=True),
    Column("attempt", Integer, nullable=False),
    Column("inputs", json_type(), nullable=False),
    Column("closing", Boolean, nullable=False),
    Column("settled", Boolean, nullable=False),
    Column("held", json_type(), nullable=False),
    Column("error", Text, nullable=False),
)

route_table = Table(
    "route_table",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("fingerprint", String(64), nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", row_id(), primary_key=True, autoincrement=True),
    Column("time", UtcTime, nullable=False, index=True),
    Column("subject", String(512), nullable=False),
    Column("token_id", String(64), nullable=False),
    Column("action", String(64), nullable=False),
    Column("resource", String(256), nullable=False),
)

requests = requests_table(metadata)
