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
    _content()
    _uploads()
    _lineage()
    _people()
    op.create_table("requests", *requests_columns())


def downgrade() -> None:
    for table in (
        "requests",
        "audit",
        "counters",
        "revocations",
        "tokens",
        "execution_versions",
        "executions",
        "checkpoints",
        "tree_packs",
        "packs",
        "uploads",
        "aliases",
        "versions",
        "trees",
        "artifacts",
        "projects",
    ):
        op.drop_table(table)


def _content() -> None:
    op.create_table(
        "projects",
        sa.Column("uid", sa.String(32), primary_key=True),
        sa.Column("id", sa.String(63), nullable=False, unique=True),
        sa.Column("etag", sa.String(32), nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("labels", json_type(), nullable=False),
        sa.Column("create_time", UtcTime, nullable=False),
        sa.Column("update_time", UtcTime, nullable=False),
    )
    op.create_table(
        "artifacts",
        sa.Column("uid", sa.String(32), primary_key=True),
        sa.Column("project_uid", sa.String(32), sa.ForeignKey("projects.uid"), nullable=False),
        sa.Column("collection", sa.String(16), nullable=False),
        sa.Column("id", sa.String(63), nullable=False),
        sa.Column("etag", sa.String(32), nullable=False),
        sa.Column("display_name", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("labels", json_type(), nullable=False),
        sa.Column("last_number", sa.BigInteger, nullable=False),
        sa.Column("create_time", UtcTime, nullable=False),
        sa.Column("update_time", UtcTime, nullable=False),
        sa.UniqueConstraint("project_uid", "collection", "id"),
    )
    op.create_table(
        "trees",
        sa.Column("uid", sa.String(32), primary_key=True),
        sa.Column("project_uid", sa.String(32), nullable=False),
        sa.Column("digest", sa.String(80), nullable=False),
        sa.Column("manifest_sha256", sa.String(64), nullable=False),
        sa.Column("manifest_bytes", sa.BigInteger, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("file_count", sa.BigInteger, nullable=False),
        sa.Column("unused_time", UtcTime),
        sa.Column("condemned", sa.Boolean, nullable=False),
        sa.UniqueConstraint("project_uid", "manifest_sha256"),
    )
    op.create_table(
        "versions",
        sa.Column("uid", sa.String(32), primary_key=True),
        sa.Column("artifact_uid", sa.String(32), sa.ForeignKey("artifacts.uid"), nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("tree_uid", sa.String(32), sa.ForeignKey("trees.uid"), nullable=False, index=True),
        sa.Column("labels", json_type(), nullable=False),
        sa.Column("creator", sa.Text, nullable=False),
        sa.Column("job", sa.Text),
        sa.Column("info", json_type()),
        sa.Column("create_time", UtcTime, nullable=False),
        sa.UniqueConstraint("artifact_uid", "number"),
        sa.UniqueConstraint("artifact_uid", "job"),
    )
    op.create_table(
        "aliases",
        sa.Column("artifact_uid", sa.String(32), sa.ForeignKey("artifacts.uid"), primary_key=True),
        sa.Column("alias", sa.String(63), primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
    )


def _uploads() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("project_uid", sa.String(32), nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("creator", sa.Text, nullable=False),
        sa.Column("base_version", sa.Text, nullable=False),
        sa.Column("base_tree", sa.String(32), nullable=False),
        sa.Column("tree_uid", sa.String(32), nullable=False),
        sa.Column("inline", sa.Boolean, nullable=False),
        sa.Column("labels", json_type(), nullable=False),
        sa.Column("info", json_type()),
        sa.Column("verified_bytes", sa.BigInteger, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("unchanged", sa.Boolean, nullable=False),
        sa.Column("error", json_type()),
        sa.Column("create_time", UtcTime, nullable=False),
        sa.Column("expire_time", UtcTime, nullable=False),
    )
    op.create_index("uploads_under_way", "uploads", ["state", "create_time"])
    op.create_table(
        "packs",
        sa.Column("id", sa.String(48), primary_key=True),
        sa.Column("project_uid", sa.String(32), nullable=False),
        sa.Column("upload_id", sa.String(32), sa.ForeignKey("uploads.id"), nullable=False, index=True),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("manifest", sa.Boolean, nullable=False),
        sa.Column("multipart_id", sa.Text, nullable=False),
    )
    op.create_table(
        "tree_packs",
        sa.Column("tree_uid", sa.String(32), sa.ForeignKey("trees.uid"), primary_key=True),
        sa.Column("pack_id", sa.String(48), sa.ForeignKey("packs.id"), primary_key=True, index=True),
    )


def _lineage() -> None:
    op.create_table(
        "checkpoints",
        sa.Column("project_uid", sa.String(32), primary_key=True),
        sa.Column("job", sa.Text, primary_key=True),
        sa.Column("step", sa.BigInteger, primary_key=True),
        sa.Column("tree_uid", sa.String(32), sa.ForeignKey("trees.uid"), nullable=False, index=True),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("create_time", UtcTime, nullable=False),
    )
    op.create_table(
        "executions",
        sa.Column("uid", sa.String(32), primary_key=True),
        sa.Column("project_uid", sa.String(32), nullable=False),
        sa.Column("consumer", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("requested", json_type(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("create_time", UtcTime, nullable=False),
        sa.Column("end_time", UtcTime),
    )
    op.create_index("executions_by_consumer", "executions", ["project_uid", "consumer", "create_time"])
    op.create_index(
        "executions_one_open",
        "executions",
        ["project_uid", "consumer"],
        unique=True,
        sqlite_where=sa.text("state = 'OPEN'"),
        postgresql_where=sa.text("state = 'OPEN'"),
    )
    op.create_table(
        "execution_versions",
        sa.Column("execution_uid", sa.String(32), sa.ForeignKey("executions.uid"), primary_key=True),
        sa.Column("role", sa.String(8), primary_key=True),
        sa.Column("version_uid", sa.String(32), primary_key=True, index=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False, index=True),
        sa.Column("digest", sa.String(80), nullable=False),
    )


def _people() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(128), primary_key=True),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("projects", json_type(), nullable=False),
        sa.Column("create_time", UtcTime, nullable=False, index=True),
        sa.Column("expire_time", UtcTime, nullable=False),
    )
    op.create_table(
        "revocations",
        sa.Column("token_id", sa.String(128), primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False, unique=True),
        sa.Column("revoke_time", UtcTime, nullable=False),
        sa.Column("expire_time", UtcTime),
    )
    op.create_table(
        "counters",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(sa.table("counters", sa.column("name"), sa.column("value")), [{"name": "revocations", "value": 0}])
    op.create_table(
        "audit",
        sa.Column("id", row_id(), primary_key=True, autoincrement=True),
        sa.Column("time", UtcTime, nullable=False, index=True),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("token_id", sa.Text, nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("resource", sa.Text, nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
    )
