"""Outputs of jobs, and evaluations of model versions."""

import sqlalchemy as sa
from alembic import op

from modelyard.foundation.sql.types import UtcTime, json_type, row_id

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "outputs",
        sa.Column("project_uid", sa.String(32), primary_key=True),
        sa.Column("job", sa.Text, primary_key=True),
        sa.Column("id", sa.String(63), primary_key=True),
        sa.Column("tree_uid", sa.String(32), sa.ForeignKey("trees.uid"), nullable=False, index=True),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("create_time", UtcTime, nullable=False),
    )
    op.create_table(
        "evaluations",
        sa.Column("sequence", row_id(), primary_key=True, autoincrement=True),
        sa.Column("version_uid", sa.String(32), sa.ForeignKey("versions.uid"), nullable=False),
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("dataset", sa.Text, nullable=False),
        sa.Column("dataset_uid", sa.String(32), nullable=False),
        sa.Column("dataset_digest", sa.String(80), nullable=False),
        sa.Column("split", sa.String(63), nullable=False),
        sa.Column("example_count", sa.BigInteger, nullable=False),
        sa.Column("metrics", json_type(), nullable=False),
        sa.Column("report", sa.Text, nullable=False),
        sa.Column("creator", sa.Text, nullable=False),
        sa.Column("create_time", UtcTime, nullable=False),
        sa.UniqueConstraint("version_uid", "job"),
    )


def downgrade() -> None:
    op.drop_table("evaluations")
    op.drop_table("outputs")
