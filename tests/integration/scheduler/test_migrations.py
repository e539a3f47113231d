"""The migrations make the tables that the code expects."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Table, TableClause, column, insert, select, table, update

from modelyard.foundation.config import SqlSettings
from modelyard.foundation.sql.engine import Database
from modelyard.foundation.sql.migrations import migrate
from modelyard.scheduler.adapters.sql.jobs import SqlJobs
from modelyard.scheduler.adapters.sql.rows import attempt_values, read_attempt
from modelyard.scheduler.adapters.sql.schema import attempts, jobs, metadata
from modelyard.scheduler.domain.jobs import Attempt, AttemptState, Failure, FailureClass
from modelyard.scheduler.domain.records import Progress
from modelyard.scheduler.runtime import MIGRATIONS, SCHEMA
from modelyard.scheduler.service.ports import DeletedJob
from modelyard.templates.specs import Kind


async def test_the_tables_are_those_of_the_schema(sql_settings: SqlSettings) -> None:
    database = Database(sql_settings, schema=SCHEMA)
    await migrate(database, MIGRATIONS)
    assert await migrate(database, MIGRATIONS) == "0004"

    def differences(connection: Connection) -> list[object]:
        found = compare_metadata(MigrationContext.configure(connection), metadata)
        return [one for one in found if "alembic_version" not in str(one)]

    assert not await database.read(differences)
    database.close()


NOW = datetime(2026, 11, 25, tzinfo=UTC)
NAME = "projects/p/jobs/old"
OLD_SPEC = {
    "template": "image-classification",
    "dataset_version": "projects/p/datasets/d/versions/1",
    "dataset_digest": "sha256:1",
    "parameters": {"epochs": 3},
    "model": "projects/p/models/m",
    "device_kind": "",
    "device_count": 1,
    "priority": 0,
    "max_attempts": 3,
    "max_runtime_us": None,
    "max_queue_us": None,
}


async def test_jobs_of_the_first_release_are_read_as_they_were(sql_settings: SqlSettings, tmp_path: Path) -> None:
    shutil.copy(MIGRATIONS / "0001_first.py", tmp_path)
    database = Database(sql_settings, schema=SCHEMA)
    assert await migrate(database, tmp_path) == "0001"
    lost = Attempt(
        NAME, 1, "workers/w", "i", (), NOW, AttemptState.LOST, failure=Failure(FailureClass.WORKER_LOST, "x")
    )

    def before(connection: Connection) -> None:
        progress = {"stage": "training", "step": 7}
        texts = ("display_name", "creator", "model_version", "failure_message", "failure_detail")
        numbers = {"revision": 1, "attempt_number": 1, "losses": 1}
        times = {"create_time": NOW, "update_time": NOW}
        row = {"name": NAME, "project": "p", "uid": "u", "labels": {}, "spec": OLD_SPEC, "progress": progress}
        failed = {"state": "FAILED", "failure_class": "WORKER_LOST"}
        connection.execute(
            insert(_first(jobs)).values({**row, **dict.fromkeys(texts, ""), **numbers, **times, **failed})
        )
        values = {**attempt_values(lost), "job": NAME, "number": 1, "start_step": 0, "report_sequence": 0}
        connection.execute(insert(attempts).values(values))

    await database.run(before)
    assert await migrate(database, MIGRATIONS) == "0004"
    record = await SqlJobs(database).get(NAME)
    assert record is not None
    assert (record.spec.template, record.spec.package_version, record.spec.model_version) == (
        "image-classification",
        "",
        "",
    )
    assert (record.spec.kind, record.spec.output_dataset, record.output_dataset_version) == (Kind.TRAINING, "", "")
    assert record.progress == Progress(stage="training", step=7)
    assert (record.evaluation, record.failure) == ("", Failure(FailureClass.WORKER_LOST, ""))

    def after(connection: Connection) -> Attempt:
        longest = max(FailureClass, key=len)
        connection.execute(update(jobs).values(failure_class=longest.value))
        connection.execute(update(attempts).values(failure_class=longest.value))
        return read_attempt(connection.execute(select(attempts)).one())

    attempt = await database.run(after)
    assert attempt.failure == Failure(FailureClass.SANDBOX_UNAVAILABLE, "x")
    database.close()


async def test_the_catalog_hears_of_jobs_that_an_older_release_deleted(
    sql_settings: SqlSettings, tmp_path: Path
) -> None:
    for script in ("0001_first.py", "0002_packages.py"):
        shutil.copy(MIGRATIONS / script, tmp_path)
    database = Database(sql_settings, schema=SCHEMA)
    assert await migrate(database, tmp_path) == "0002"
    texts = [
        "display_name",
        "creator",
        "model_version",
        "evaluation",
        "failure_class",
        "failure_message",
        "failure_detail",
    ]
    numbers = ["revision", "attempt_number", "losses", "checkpoint_step"]
    row: dict[str, object] = {"project": "p", "uid": "u", "labels": {}, "spec": OLD_SPEC, "progress": {}}
    row.update(dict.fromkeys(texts, ""))
    row.update(dict.fromkeys(numbers, 2))
    row.update(create_time=NOW, update_time=NOW)
    states = {"gone": "DELETED", "failed": "FAILED", "also-gone": "DELETED"}
    rows = [{**row, "name": f"projects/p/jobs/{name}", "state": state} for name, state in states.items()]
    await database.run(
        lambda connection: connection.execute(insert(_first(jobs, "evaluation", "checkpoint_step")), rows)
    )

    assert await migrate(database, MIGRATIONS) == "0004"

    untold = await SqlJobs(database).untold(10)
    assert {(type(one), one.job) for one in untold} == {
        (DeletedJob, "projects/p/jobs/gone"),
        (DeletedJob, "projects/p/jobs/also-gone"),
    }
    database.close()


LATER = ("evaluation", "checkpoint_step", "kind", "output_dataset_version")


def _first(now: Table, *since: str) -> TableClause:
    """The table as the first release knew it, and what came `since`."""
    known = [one for one in now.columns if one.name in since or one.name not in LATER]
    return table(now.name, *(column(one.name, one.type) for one in known))
