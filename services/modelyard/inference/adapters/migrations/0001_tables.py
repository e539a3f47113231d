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
    op.create_table(
        "deployments",
        sa.Column("name", sa.String(256), primary_key=True),
        sa.Column("project", sa.String(63), nullable=False, index=True),
        sa.Column("uid", sa.String(32), nullable=False),
        sa.Column("etag", sa.String(32), nullable=False),
        sa.Column("target", json_type(), nullable=False),
        sa.Column("fallback", json_type()),
        sa.Column("creator", sa.String(512), nullable=False),
        sa.Column("create_time", UtcTime, nullable=False),
        sa.Column("update_time", UtcTime, nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("labels", json_type(), nullable=False),
        sa.Column("trial", sa.Integer, nullable=False),
        sa.Column("deleting", sa.Boolean, nullable=False),
        sa.Column("state", sa.Integer, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("serving_version", sa.String(256), nullable=False),
    )
    op.create_table(
        "hosts",
        sa.Column("name", sa.String(128), primary_key=True),
        sa.Column("instance_id", sa.String(64), nullable=False),
        sa.Column("previous_instance_id", sa.String(64), nullable=False),
        sa.Column("create_time", UtcTime, nullable=False),
        sa.Column("heartbeat_time", UtcTime, nullable=False),
        sa.Column("hostname", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("model_server", sa.Text, nullable=False),
        sa.Column("leaving", sa.Boolean, nullable=False),
        sa.Column("drained", sa.Boolean, nullable=False),
        sa.Column("lost", sa.Boolean, nullable=False),
        sa.Column("served", json_type(), nullable=False),
    )
    op.create_table(
        "assignments",
        sa.Column("deployment", sa.String(256), primary_key=True),
        sa.Column("model_version", sa.String(256), primary_key=True),
        sa.Column("host", sa.String(128), primary_key=True),
        sa.Column("digest", sa.String(80), nullable=False),
        sa.Column("serving_name", sa.String(128), nullable=False),
        sa.Column("batching", sa.Boolean, nullable=False),
        sa.Column("create_time", UtcTime, nullable=False),
        sa.Column("trial", sa.Integer, nullable=False),
        sa.Column("retire_time", UtcTime),
        sa.Column("stopping", sa.Boolean, nullable=False),
    )
    op.create_table(
        "holds",
        sa.Column("deployment", sa.String(256), primary_key=True),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("inputs", json_type(), nullable=False),
        sa.Column("closing", sa.Boolean, nullable=False),
        sa.Column("settled", sa.Boolean, nullable=False),
        sa.Column("held", json_type(), nullable=False),
        sa.Column("error", sa.Text, nullable=False),
    )
    op.create_table(
        "route_table",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("id", row_id(), primary_key=True, autoincrement=True),
        sa.Column("time", UtcTime, nullable=False, index=True),
        sa.Column("subject", sa.String(512), nullable=False),
        sa.Column("token_id", sa.String(64), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("resource", sa.String(256), nullable=False),
    )
    op.create_table("requests", *requests_columns())


def downgrade() -> None:
    for table in ("requests", "audit", "route_table", "holds", "assignments", "hosts", "deployments"):
        op.drop_table(table)
