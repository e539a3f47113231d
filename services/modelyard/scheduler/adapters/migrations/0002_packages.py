"""Jobs of packages, imports and evaluations: what comes out of them, how far they got, longer names of failures."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("evaluation", sa.String(320), nullable=False, server_default=""))
    op.add_column("jobs", sa.Column("checkpoint_step", sa.BigInteger, nullable=False, server_default="0"))
    for table in ("jobs", "attempts"):
        widen_failure_class(table)


def widen_failure_class(table: str) -> None:
    """SQLite changes no column's type, and a table that others refer to is not made anew: a new column takes over."""
    op.add_column(table, sa.Column("failure_kind", sa.String(32), nullable=False, server_default=""))
    op.execute(f"UPDATE {table} SET failure_kind = failure_class")
    op.execute(f"ALTER TABLE {table} DROP COLUMN failure_class")
    op.execute(f"ALTER TABLE {table} RENAME COLUMN failure_kind TO failure_class")
