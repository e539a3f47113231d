"""Outputs, packages and evaluations on both databases and stores, and databases that are older than they are."""

import asyncio
from datetime import timedelta
from pathlib import Path

from alembic import command
from sqlalchemy import text

from modelyard.api.catalog.v1 import (
    dataset_service_pb2,
    execution_pb2,
    lineage_service_pb2,
    model_pb2,
    model_service_pb2,
    package_service_pb2,
    project_service_pb2,
    upload_pb2,
    upload_service_pb2,
)
from modelyard.catalog.adapters.sql_catalog import MIGRATIONS, SCHEMA, SqlCatalog
from modelyard.catalog.domain.model_info import ModelInfo
from modelyard.catalog.domain.names import Collection, VersionName
from modelyard.catalog.service.existing import existing_version
from modelyard.foundation.clock import ManualClock
from modelyard.foundation.config import SqlSettings
from modelyard.foundation.objectstore.s3 import S3Settings
from modelyard.foundation.sql.engine import Database
from modelyard.foundation.sql.migrations import config
from tests.support.catalog import PROJECT, Client, RunningCatalog, running_catalog

Backends = tuple[SqlSettings, S3Settings]
JOB = f"{PROJECT}/jobs/j"
RUN = f"{JOB}/outputs/run"


async def begun(running: RunningCatalog, admin: Client, job: str = JOB) -> Client:
    """The first attempt of a job on a dataset."""
    data = await admin.pushed("/".join(job.split("/")[:2]) + "/datasets/d", {"x": b"x"})
    scheduler = await running.client("service", "*", "services/scheduler")
    await scheduler.execute(job, 0, data)
    one = await running.attempt(job, 1)
    await one.execute(job, 1)
    return one


async def test_a_replaced_output_leaves_the_store_after_the_grace_and_the_newest_stays(
    tmp_path: Path, backends: Backends
) -> None:
    sql, s3 = backends
    clock = ManualClock()
    async with running_catalog(tmp_path, s3, sql, clock=clock) as running:
        admin = await running.client()
        one = await begun(running, admin)
        await one.pushed(RUN, {"old": b"old" * 10})
        await running.services.collector.step()
        before = set(await running.keys())
        await one.pushed(RUN, {"new": b"new"})
        await one.end(JOB, 1, execution_pb2.Execution.STATE_FAILED)
        await running.services.collector.step()
        clock.advance(timedelta(hours=23).total_seconds())
        await running.services.collector.step()
        assert before <= set(await running.keys())
        clock.advance(timedelta(hours=2).total_seconds())
        while await running.services.collector.step():
            pass

        gone = before - set(await running.keys())
        assert sorted(key.split("/")[2] for key in gone) == ["packs", "trees"]
        assert await admin.read(RUN) == {"new": b"new"}


async def test_a_deleted_jobs_files_leave_the_store_after_the_grace_and_no_upload_brings_them_back(
    tmp_path: Path, backends: Backends
) -> None:
    sql, s3 = backends
    clock = ManualClock()
    async with running_catalog(tmp_path, s3, sql, clock=clock, loops=False) as running:
        admin, scheduler = await running.client(), await running.client("service", "*", "services/scheduler")
        committer, collector = running.services.committer, running.services.collector

        async def committing(client: Client, target: str, files: dict[str, bytes]) -> str:
            upload, objects = await client.begin(target, files)
            await client.send(upload, objects)
            await client.uploads.CommitUpload(upload_service_pb2.CommitUploadRequest(name=upload.name))
            return upload.name

        async def collected() -> None:
            while await collector.step():
                pass

        await committing(admin, f"{PROJECT}/datasets/d", {"x": b"x"})
        await committer.step()
        await collected()
        kept = set(await running.keys())
        await scheduler.execute(JOB, 0, f"{PROJECT}/datasets/d/versions/1")
        one = await running.attempt(JOB, 1)
        await one.execute(JOB, 1)
        for name in ("checkpoints/1", "checkpoints/2", "outputs/run"):
            await committing(one, f"{JOB}/{name}", {"f": name.encode()})
            await committer.step()
        late = await committing(one, f"{JOB}/checkpoints/3", {"f": b"late"})
        await one.end(JOB, 1, execution_pb2.Execution.STATE_FAILED)
        await collected()
        stored = set(await running.keys())

        request = lineage_service_pb2.DeleteJobFilesRequest(parent=JOB)
        await asyncio.gather(committer.step(), *(scheduler.lineage.DeleteJobFiles(request) for _ in range(4)))

        assert (await one.settled(late)).state == upload_pb2.Upload.STATE_FAILED
        checkpoints = await admin.lineage.ListCheckpoints(lineage_service_pb2.ListCheckpointsRequest(parent=JOB))
        assert not checkpoints.checkpoints
        await collected()
        clock.advance(timedelta(hours=23).total_seconds())
        await collected()
        assert stored <= set(await running.keys())
        clock.advance(timedelta(hours=2).total_seconds())
        await collected()
        assert set(await running.keys()) == kept
        assert await admin.read(f"{PROJECT}/datasets/d/versions/1") == {"x": b"x"}


async def test_many_who_push_the_same_code_at_once_make_one_version(tmp_path: Path, backends: Backends) -> None:
    sql, s3 = backends
    async with running_catalog(tmp_path, s3, sql) as running:
        admin = await running.client()
        name = f"{PROJECT}/packages/mine"

        made = await asyncio.gather(*(admin.pushed(name, {"train.py": bytes([n % 3])}) for n in range(9)))

        assert set(made) == {f"{name}/versions/{number}" for number in (1, 2, 3)}
        assert made[:3] == made[3:6] == made[6:]
        listed = await admin.packages.ListPackageVersions(package_service_pb2.ListPackageVersionsRequest(parent=name))
        assert len(listed.package_versions) == 3


async def test_many_records_of_one_job_at_once_are_one_evaluation(tmp_path: Path, backends: Backends) -> None:
    sql, s3 = backends
    async with running_catalog(tmp_path, s3, sql) as running:
        admin = await running.client()
        model = await (await begun(running, admin)).pushed(f"{PROJECT}/models/m", {"saved_model.pb": b"g"})
        data, judged = f"{PROJECT}/datasets/d/versions/1", f"{PROJECT}/jobs/judge"
        scheduler = await running.client("service", "*", "services/scheduler")
        await scheduler.execute(judged, 0, model, data)
        judge = await running.attempt(judged, 1)
        await judge.execute(judged, 1)
        evaluation = model_pb2.Evaluation(
            dataset_version=data, split="test", example_count=3, metrics={"accuracy": 1 / 3, "loss": 5e-324}
        )
        request = model_service_pb2.RecordEvaluationRequest(parent=model, evaluation=evaluation)

        recorded = await asyncio.gather(*(judge.models.RecordEvaluation(request) for _ in range(8)))

        assert all(each == recorded[0] for each in recorded)
        listed = await admin.models.ListEvaluations(model_service_pb2.ListEvaluationsRequest(parent=model))
        assert list(listed.evaluations) == [recorded[0]]
        assert listed.evaluations[0].metrics == evaluation.metrics


async def test_a_project_goes_with_the_outputs_of_its_jobs(tmp_path: Path, backends: Backends) -> None:
    sql, s3 = backends
    clock = ManualClock()
    async with running_catalog(tmp_path, s3, sql, clock=clock) as running:
        admin = await running.client()
        await admin.projects.CreateProject(project_service_pb2.CreateProjectRequest(project_id="lab"))
        job = "projects/lab/jobs/j"
        one = await begun(running, admin, job)
        await one.pushed(f"{job}/outputs/run", {"r": b"r"})
        await one.end(job, 1)
        delete = dataset_service_pb2.DeleteDatasetRequest(name="projects/lab/datasets/d")
        await admin.datasets.DeleteDataset(delete)

        await admin.projects.DeleteProject(project_service_pb2.DeleteProjectRequest(name="projects/lab"))

        await running.services.collector.step()
        clock.advance(timedelta(hours=25).total_seconds())
        while await running.services.collector.step():
            pass
        assert await running.keys() == []


async def test_a_database_of_the_first_version_is_brought_up_with_what_is_in_it(sql_settings: SqlSettings) -> None:
    database = Database(sql_settings, schema=SCHEMA)
    with database.engine.begin() as connection:
        if database.schema:
            connection.execute(text(f'CREATE SCHEMA "{database.schema}"'))
        command.upgrade(config(MIGRATIONS, connection), "0001")
        for statement in ROWS_OF_THE_FIRST_VERSION:
            connection.exec_driver_sql(statement)
    catalog = SqlCatalog(database)

    assert await catalog.migrate() == "0004"

    name = VersionName.parse(Collection.MODELS, "projects/p/models/m/versions/1")
    version = await catalog.read(lambda tx: existing_version(tx, name))
    assert version.info == ModelInfo(metrics={"accuracy": 0.5}, row_wise=True)
    assert (version.tree.digest, version.labels) == ("sha256:1", {"a": "b"})
    assert await catalog.read(lambda tx: tx.evaluations.page(version, None, None, 10)) == []
    database.close()


ROWS_OF_THE_FIRST_VERSION = (
    "INSERT INTO projects VALUES ('p1', 'p', 'e', '', '{}', 1, 1)",
    "INSERT INTO artifacts VALUES ('a1', 'p1', 'models', 'm', 'e', '', '', '{}', 1, 1, 1)",
    "INSERT INTO trees VALUES ('t1', 'p1', 'sha256:1', '1', 1, 1, 1, NULL, FALSE)",
    """INSERT INTO versions VALUES ('v1', 'a1', 1, 't1', '{"a": "b"}', 'users/ann', NULL,
       '{"metrics": {"accuracy": 0.5}, "gates": [], "row_wise": true, "frameworks": {}}', 1)""",
)
