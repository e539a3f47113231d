"""The catalog hears of jobs that were deleted before deletions were told to it."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "INSERT INTO outbox (job, attempt, outcome) "
        "SELECT name, attempt_number, 'DELETED' FROM jobs WHERE state = 'DELETED'"
    )
