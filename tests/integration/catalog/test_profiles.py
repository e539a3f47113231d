"""Which dataset versions are profiled and what was found, on SQLite and PostgreSQL."""

from datetime import UTC, datetime

from alembic import command
from sqlalchemy import text

from modelyard.catalog.adapters.sql_catalog import MIGRATIONS, SCHEMA, SqlCatalog
from modelyard.catalog.domain.artifacts import Artifact, Version
from modelyard.catalog.domain.executions import ExecutionState
from modelyard.catalog.domain.names import ArtifactName, Collection, JobName
from modelyard.catalog.domain.statistics import Statistics
from modelyard.catalog.service.existing import existing_artifact
from modelyard.catalog.service.ports import Transaction
from modelyard.foundation.config import SqlSettings
from modelyard.foundation.sql.engine import Database
from modelyard.foundation.sql.migrations import config

NOW = datetime(2026, 11, 25, tzinfo=UTC)
DIGITS = ArtifactName("p", Collection.DATASETS, "digits")
JOB = JobName("p", "profile")
FOUND = {"splits": [{"name": "träin", "example_count": "9007199254740993"}], "features": [{"number": {"mean": 1e-300}}]}


async def migrated(sql: SqlSettings) -> tuple[Database, SqlCatalog]:
    """A database of the release before, with versions in it, brought up to this one."""
    database = Database(sql, schema=SCHEMA)
    with database.engine.begin() as connection:
        if database.schema:
            connection.execute(text(f'CREATE SCHEMA "{database.schema}"'))
        command.upgrade(config(MIGRATIONS, connection), "0003")
        for statement in ROWS:
            connection.exec_driver_sql(statement)
    catalog = SqlCatalog(database)
    await catalog.migrate()
    return database, catalog


def version(tx: Transaction, number: int) -> tuple[Artifact, Version]:
    artifact = existing_artifact(tx, DIGITS)
    found = tx.versions.get(artifact, number)
    assert found is not None
    return artifact, found


async def test_versions_from_before_are_profiled_too_oldest_first(sql_settings: SqlSettings) -> None:
    database, catalog = await migrated(sql_settings)

    everything = await catalog.read(lambda tx: tx.profiles.unprofiled(0, 10))
    assert [str(found.name) for _, found in everything] == [f"{DIGITS}/versions/{number}" for number in (2, 1, 3)]
    second = await catalog.read(lambda tx: tx.profiles.unprofiled(everything[0][0], 1))
    assert second == everything[1:2]
    await catalog.run(lambda tx: tx.profiles.set_job(everything[0][1], JOB))
    left = await catalog.read(lambda tx: tx.profiles.unprofiled(0, 10))
    assert left == everything[1:]
    database.close()


async def test_what_was_found_is_read_as_it_was_written_and_goes_with_its_version(sql_settings: SqlSettings) -> None:
    database, catalog = await migrated(sql_settings)

    def record(tx: Transaction) -> Statistics:
        _, found = version(tx, 1)
        said = Statistics(found.name, JOB, FOUND, "projects/p/jobs/profile/outputs/profile", NOW)
        tx.profiles.record(found, said)
        return said

    said = await catalog.run(record)
    profiling = await catalog.read(lambda tx: tx.profiles.get(version(tx, 1)[1]))
    assert (profiling.job, profiling.statistics) == (str(JOB), said)
    assert (await catalog.read(lambda tx: tx.profiles.get(version(tx, 2)[1]))).statistics is None

    await catalog.run(lambda tx: tx.versions.delete(version(tx, 1)[1]))
    await catalog.run(lambda tx: tx.artifacts.delete(existing_artifact(tx, DIGITS)))
    assert await catalog.read(lambda tx: tx.profiles.unprofiled(0, 10)) == []
    with database.engine.connect() as connection:
        profiles = f'"{database.schema}".profiles' if database.schema else "profiles"
        assert connection.exec_driver_sql(f"SELECT count(*) FROM {profiles}").scalar_one() == 0
    database.close()


async def test_an_execution_from_before_holds_its_inputs_and_makes_no_dataset(sql_settings: SqlSettings) -> None:
    database, catalog = await migrated(sql_settings)

    execution = await catalog.read(lambda tx: tx.executions.newest("p1", "projects/p/jobs/old"))
    assert execution is not None
    assert (execution.weak, execution.output_dataset, execution.message) == (False, "", "")
    assert await catalog.read(lambda tx: tx.versions.holders(version(tx, 1)[0], 1)) == ["projects/p/jobs/old"]
    await catalog.run(lambda tx: tx.executions.end(execution, 0, ExecutionState.FAILED, "it broke", NOW))
    ended = await catalog.read(lambda tx: tx.executions.newest("p1", "projects/p/jobs/old"))
    assert ended is not None
    assert (ended.state, ended.message) == (ExecutionState.FAILED, "it broke")
    database.close()


def _version(uid: str, artifact: str, number: int, time: int) -> str:
    return (
        "INSERT INTO versions (uid, artifact_uid, number, tree_uid, labels, creator, create_time) "
        f"VALUES ('{uid}', '{artifact}', {number}, 't1', '{{}}', 'users/ann', {time})"
    )


_ARTIFACT = (
    "INSERT INTO artifacts (uid, project_uid, collection, id, etag, display_name, description, labels, last_number, "
    "create_time, update_time) VALUES ('{uid}', 'p1', '{collection}', '{id}', 'e', '', '', '{{}}', 3, 1, 1)"
)
ROWS = (
    "INSERT INTO projects VALUES ('p1', 'p', 'e', '', '{}', 1, 1)",
    _ARTIFACT.format(uid="a1", collection="datasets", id="digits"),
    _ARTIFACT.format(uid="a2", collection="packages", id="code"),
    "INSERT INTO trees (uid, project_uid, digest, manifest_sha256, manifest_bytes, size_bytes, file_count, condemned) "
    "VALUES ('t1', 'p1', 'sha256:1', 'm', 1, 1, 1, false)",
    _version("v1", "a1", 1, 20),
    _version("v2", "a1", 2, 10),
    _version("v3", "a1", 3, 30),
    _version("v4", "a2", 1, 5),
    "INSERT INTO executions (uid, project_uid, consumer, attempt, requested, state, create_time) "
    "VALUES ('e1', 'p1', 'projects/p/jobs/old', 0, '[]', 'OPEN', 1)",
    "INSERT INTO execution_versions (execution_uid, role, version_uid, position, name, digest) "
    "VALUES ('e1', 'input', 'v1', 0, 'projects/p/datasets/digits/versions/1', 'sha256:1')",
)
