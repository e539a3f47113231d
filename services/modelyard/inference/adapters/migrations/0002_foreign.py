"""Which assignments are of models that others made."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # What was served before was trained by what modelyard ships.
    op.add_column("assignments", sa.Column("foreign", sa.Boolean, nullable=False, server_default=sa.false()))
