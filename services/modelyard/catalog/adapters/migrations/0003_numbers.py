"""Numbers of versions outlive the dataset, model or package; a package holds one kind of files."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    numbers = op.create_table(
        "last_numbers",
        sa.Column("project", sa.String(63), primary_key=True),
        sa.Column("collection", sa.String(16), primary_key=True),
        sa.Column("id", sa.String(63), primary_key=True),
        sa.Column("last_number", sa.BigInteger, nullable=False),
    )
    if given := _given():
        op.bulk_insert(numbers, given)
    # What was deleted and made again goes on above its own highest number.
    its_number = (
        "SELECT last_numbers.last_number FROM last_numbers JOIN projects ON projects.id = last_numbers.project "
        "WHERE projects.uid = artifacts.project_uid AND last_numbers.collection = artifacts.collection "
        "AND last_numbers.id = artifacts.id AND last_numbers.last_number > artifacts.last_number"
    )
    op.execute(f"UPDATE artifacts SET last_number = ({its_number}) WHERE EXISTS ({its_number})")
    op.add_column("artifacts", sa.Column("kind", sa.String(16), nullable=False, server_default=""))
    op.add_column("uploads", sa.Column("package_kind", sa.String(16), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("uploads", "package_kind")
    op.drop_column("artifacts", "kind")
    op.drop_table("last_numbers")


def _given() -> list[dict[str, object]]:
    """The highest number that each name ever had, as the audit has it: also of what was deleted."""
    audit = sa.table("audit", sa.column("action"), sa.column("resource"))
    query = sa.select(audit.c.resource).where(audit.c.action == "CreateVersion")
    highest: dict[tuple[str, str, str], int] = {}
    for resource in op.get_bind().execute(query).scalars():
        match resource.split("/"):
            # Checkpoints and outputs have no versions.
            case ["projects", project, collection, id_, "versions", number]:
                name = (project, collection, id_)
                highest[name] = max(highest.get(name, 0), int(number))
    return [
        {"project": project, "collection": collection, "id": id_, "last_number": number}
        for (project, collection, id_), number in highest.items()
    ]
