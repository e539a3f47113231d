"""What kind a job is of, and the dataset version that it made."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("output_dataset_version", sa.String(256), nullable=False, server_default=""))
    op.add_column("jobs", sa.Column("kind", sa.String(16), nullable=False, server_default=""))
