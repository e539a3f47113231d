"""The highest number of a name stays when what had it is deleted, on SQLite and PostgreSQL."""

from datetime import UTC, datetime

from alembic import command
from sqlalchemy import select, text

from modelyard.catalog.adapters.schema import last_numbers
from modelyard.catalog.adapters.sql_catalog import MIGRATIONS, SCHEMA, SqlCatalog
from modelyard.catalog.domain.artifacts import Artifact, Profile, Project
from modelyard.catalog.domain.kinds import PackageKind
from modelyard.catalog.domain.names import ArtifactName, Collection
from modelyard.catalog.service.existing import existing_artifact
from modelyard.catalog.service.ports import Transaction
from modelyard.foundation.config import SqlSettings
from modelyard.foundation.ids import new_uid
from modelyard.foundation.sql.engine import Database
from modelyard.foundation.sql.migrations import config

NOW = datetime(2026, 11, 25, tzinfo=UTC)
DIGITS = ArtifactName("p", Collection.DATASETS, "digits")


async def test_deleted_numbers_are_kept_and_taken_up(sql_settings: SqlSettings) -> None:
    database = Database(sql_settings, schema=SCHEMA)
    catalog = SqlCatalog(database)
    await catalog.migrate()
    project = Project(new_uid(), "p", "e", "", {}, NOW, NOW)
    await catalog.run(lambda tx: tx.projects.insert(project))

    def made(tx: Transaction) -> Artifact:
        tx.artifacts.insert(Artifact(new_uid(), project.uid, DIGITS, "e", Profile(), NOW, NOW))
        return existing_artifact(tx, DIGITS)

    for last in (0, 7, 8):
        artifact = await catalog.run(made)
        assert artifact.last_number == last

        def deleted(tx: Transaction, artifact: Artifact = artifact, last: int = last) -> None:
            tx.artifacts.delete(Artifact(artifact.uid, project.uid, DIGITS, "e", Profile(), NOW, NOW, max(last + 1, 7)))

        await catalog.run(deleted)
    database.close()


async def test_numbers_that_were_given_before_are_found_in_the_audit(sql_settings: SqlSettings) -> None:
    database = Database(sql_settings, schema=SCHEMA)
    with database.engine.begin() as connection:
        if database.schema:
            connection.execute(text(f'CREATE SCHEMA "{database.schema}"'))
        command.upgrade(config(MIGRATIONS, connection), "0002")
        for statement in ROWS:
            connection.exec_driver_sql(statement)
    catalog = SqlCatalog(database)

    await catalog.migrate()

    with database.engine.connect() as connection:
        rows = connection.execute(select(last_numbers)).all()
    assert {tuple(row) for row in rows} == {
        ("p", "datasets", "gone", 12),
        ("p", "datasets", "again", 9),
        ("p", "packages", "kept", 2),
    }
    again = await catalog.read(lambda tx: existing_artifact(tx, ArtifactName("p", Collection.DATASETS, "again")))
    kept = await catalog.read(lambda tx: existing_artifact(tx, ArtifactName("p", Collection.PACKAGES, "kept")))
    assert (again.last_number, kept.last_number, kept.kind) == (9, 2, PackageKind.UNSAID)
    database.close()


def _audited(number: int, action: str, resource: str) -> str:
    return f"INSERT INTO audit VALUES ({number}, 1, 'users/ann', '', '{action}', '{resource}', '')"


ROWS = (
    "INSERT INTO projects VALUES ('p1', 'p', 'e', '', '{}', 1, 1)",
    "INSERT INTO artifacts VALUES ('a1', 'p1', 'datasets', 'again', 'e', '', '', '{}', 1, 1, 1)",
    "INSERT INTO artifacts VALUES ('a2', 'p1', 'packages', 'kept', 'e', '', '', '{}', 2, 1, 1)",
    _audited(1, "CreateVersion", "projects/p/datasets/gone/versions/2"),
    _audited(2, "CreateVersion", "projects/p/datasets/gone/versions/12"),
    _audited(3, "CreateVersion", "projects/p/datasets/gone/versions/1"),
    _audited(4, "CreateVersion", "projects/p/datasets/again/versions/9"),
    _audited(5, "CreateVersion", "projects/p/packages/kept/versions/2"),
    _audited(6, "CreateVersion", "projects/p/jobs/j/outputs/run"),
    _audited(7, "DeleteDataset", "projects/p/datasets/gone"),
    _audited(8, "DeleteDatasetVersion", "projects/p/datasets/gone/versions/99"),
)
