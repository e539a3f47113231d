"""Which job profiles a dataset version and what it found; executions that make a dataset version or hold nothing."""

import sqlalchemy as sa
from alembic import op

from modelyard.foundation.sql.types import UtcTime, json_type, row_id

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "profiles",
        sa.Column("sequence", row_id(), primary_key=True, autoincrement=True),
        sa.Column("version_uid", sa.String(32), sa.ForeignKey("versions.uid"), nullable=False, unique=True),
        sa.Column("job", sa.Text, nullable=False),
        sa.Column("found_by", sa.Text, nullable=False),
        sa.Column("found", json_type()),
        sa.Column("report", sa.Text, nullable=False),
        sa.Column("create_time", UtcTime),
    )
    op.create_index("profiles_by_job", "profiles", ["job", "sequence"])
    # What was pushed before gets its profile too.
    op.execute(
        "INSERT INTO profiles (version_uid, job, found_by, report) "
        "SELECT versions.uid, '', '', '' FROM versions JOIN artifacts ON artifacts.uid = versions.artifact_uid "
        "WHERE artifacts.collection = 'datasets' ORDER BY versions.create_time, versions.uid"
    )
    op.add_column("executions", sa.Column("output_dataset", sa.Text, nullable=False, server_default=""))
    op.add_column("executions", sa.Column("weak", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("executions", sa.Column("message", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    for column in ("message", "weak", "output_dataset"):
        op.drop_column("executions", column)
    op.drop_table("profiles")
