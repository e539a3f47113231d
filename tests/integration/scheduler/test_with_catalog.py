"""The scheduler beside the real catalog: what it asks for is what the catalog gives."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from pydantic import SecretStr

from modelyard.api.catalog.v1 import (
    dataset_service_pb2,
    execution_pb2,
    lineage_service_pb2,
    model_pb2,
    model_service_pb2,
    package_service_pb2,
)
from modelyard.api.scheduler.v1 import job_pb2, job_service_pb2
from modelyard.foundation.config import SqlSettings
from modelyard.foundation.rpc.status import failure_of
from tests.support.catalog import RunningCatalog, running_catalog
from tests.support.dataset_catalog import DatasetCatalog
from tests.support.eventually import eventually
from tests.support.scheduling import (
    Scheduler,
    create_request,
    running_scheduler,
    scheduler_settings,
)
from tests.support.seaweedfs import RunningStore
from tests.support.servers import Issuers

PROJECT = "projects/default"
DIGITS = f"{PROJECT}/datasets/digits"
DESCRIPTION = {
    "format": 1,
    "layout": "class_folders",
    "modality": "image",
    "features": {
        "image": {"dtype": "uint8", "shape": [28, 28, 1], "encoding": "png"},
        "label": {"dtype": "int64", "classes": ["0", "1"]},
    },
    "split_rule": "hash-10",
    "splits": {"train": {"examples": 2}, "test": {"examples": 1}},
}


@asynccontextmanager
async def beside_the_catalog(
    folder: Path, store: RunningStore, issuers: Issuers, templates: Path | None = None
) -> AsyncIterator[tuple[RunningCatalog, Scheduler]]:
    s3 = store.store.settings.model_copy(update={"bucket": "scheduler-test"})
    sql = SqlSettings(url=SecretStr(f"sqlite:///{folder}/scheduler.sqlite"))
    async with running_catalog(folder, s3, issuers=issuers) as catalog:
        settings = scheduler_settings(folder, sql, catalog.address, issuers, templates)
        beside = DatasetCatalog(target=catalog.address)  # type: ignore[abstract]
        async with running_scheduler(settings, beside, issuers) as scheduler:
            yield catalog, scheduler


async def pushed(catalog: RunningCatalog) -> str:
    admin = await catalog.client()
    request = dataset_service_pb2.CreateDatasetRequest(parent=PROJECT, dataset_id="digits")
    await admin.datasets.CreateDataset(request)
    files = {"modelyard.dataset.json": json.dumps(DESCRIPTION).encode(), "0/a.png": b"a", "1/b.png": b"b"}
    return await admin.pushed(DIGITS, files)


async def test_a_jobs_inputs_are_held_from_its_creation_to_its_end(
    tmp_path: Path, seaweedfs: RunningStore, issuers: Issuers
) -> None:
    async with beside_the_catalog(tmp_path, seaweedfs, issuers) as (catalog, scheduler):
        version = await pushed(catalog)
        async with scheduler.worker() as worker:
            request = create_request(parent=PROJECT, dataset_version=f"{DIGITS}/versions/latest")
            job = await scheduler.jobs.CreateJob(request)
            assert job.spec.dataset_version == version
            assert job.spec.dataset_digest.startswith("sha256:")

            admin = await catalog.client()
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await admin.datasets.DeleteDatasetVersion(dataset_service_pb2.DeleteDatasetVersionRequest(name=version))
            assert failure_of(caught.value).reason == "STILL_NEEDED"

            assignment = await worker.take()
            speaker = await catalog.client_with(assignment.token)
            begun = await speaker.lineage.BeginExecution(
                lineage_service_pb2.BeginExecutionRequest(parent=PROJECT, consumer=job.name, attempt=1)
            )
            assert [one.name for one in begun.inputs] == [version]
            await worker.complete(
                assignment.attempt,
                job_pb2.Attempt.STATE_FAILED,
                failure_class=job_pb2.Job.FAILURE_CLASS_USER_CODE,
                message="it raised",
            )

            async def freed() -> bool:
                query = lineage_service_pb2.QueryLineageRequest(name=version)
                executions = (await admin.lineage.QueryLineage(query)).executions
                return [one.state for one in executions] == [execution_pb2.Execution.STATE_FAILED]

            await eventually(freed)
            await admin.datasets.DeleteDatasetVersion(dataset_service_pb2.DeleteDatasetVersionRequest(name=version))
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await scheduler.jobs.CreateJob(create_request(parent=PROJECT, dataset_version=version))
            failure = failure_of(caught.value)
            assert (failure.code, list(failure.fields)) == (
                grpc.StatusCode.NOT_FOUND,
                ["job.spec.dataset_version"],
            )
            listed = await scheduler.jobs.ListJobs(job_service_pb2.ListJobsRequest(parent=PROJECT))
            assert [one.name for one in listed.jobs] == [job.name]


async def test_code_data_and_models_are_inputs_of_their_jobs_and_what_they_make_is_lineage(
    tmp_path: Path, seaweedfs: RunningStore, issuers: Issuers
) -> None:
    async with beside_the_catalog(tmp_path, seaweedfs, issuers) as (catalog, scheduler), scheduler.worker() as worker:
        dataset = await pushed(catalog)
        admin = await catalog.client()
        toml = b"entry = 'train:main'\n[parameters.lr]\ntype = 'float'\ndefault = 0.1\n"
        code = await admin.pushed(f"{PROJECT}/packages/mine", {"train.py": b"", "more.py": b"", "template.toml": toml})

        fields = {"template": "", "parent": PROJECT, "package_version": f"{PROJECT}/packages/mine/versions/latest"}
        job = await scheduler.submit(**fields, dataset_version=dataset)
        assert (job.spec.package_version, job.spec.entry) == (code, "train:main")
        assert dict(job.spec.parameters) == {"lr": 0.1}
        described = await admin.packages.GetPackageVersion(package_service_pb2.GetPackageVersionRequest(name=code))
        assert job.spec.package_digest == described.digest
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await admin.packages.DeletePackageVersion(package_service_pb2.DeletePackageVersionRequest(name=code))
        assert failure_of(caught.value).reason == "STILL_NEEDED"

        assignment = await worker.take()
        attempt = await catalog.client_with(assignment.token)
        begun = await attempt.execute(job.name, 1)
        assert {ref.name for ref in begun.inputs} == {dataset, code}
        model = await attempt.pushed(job.spec.model, {"saved_model.pb": b"m"}, info=model_pb2.ModelInfo(foreign=True))
        await worker.complete(assignment.attempt, model_version=model)
        assert (await scheduler.job(job.name)).model_version == model

        judged = await scheduler.submit(
            parent=PROJECT,
            template="evaluate",
            model_version=f"{job.spec.model}/versions/latest",
            dataset_version=dataset,
        )
        assert judged.spec.model_version == model
        assert judged.spec.model_digest.startswith("sha256:")
        assignment = await worker.take()
        attempt = await catalog.client_with(assignment.token)
        await attempt.execute(judged.name, 1)
        evaluation = await attempt.models.RecordEvaluation(
            model_service_pb2.RecordEvaluationRequest(
                parent=model,
                evaluation=model_pb2.Evaluation(
                    dataset_version=dataset, split="test", example_count=1, metrics={"accuracy": 1.0}
                ),
            )
        )
        await worker.complete(assignment.attempt, evaluation=evaluation.name)
        assert (await scheduler.job(judged.name)).evaluation == evaluation.name

        files = await admin.pushed(f"{PROJECT}/packages/theirs", {"saved_model.pb": b"x"})
        imported = await scheduler.submit(
            parent=PROJECT, template="import-model", dataset_version="", source_version=files
        )
        assert (imported.spec.model, imported.spec.source_version) == (f"{PROJECT}/models/theirs", files)
        assert imported.spec.source_digest


async def test_a_deleted_job_takes_its_checkpoints_and_outputs_along_and_leaves_its_model(
    tmp_path: Path, seaweedfs: RunningStore, issuers: Issuers
) -> None:
    async with beside_the_catalog(tmp_path, seaweedfs, issuers) as (catalog, scheduler), scheduler.worker() as worker:
        dataset = await pushed(catalog)
        admin = await catalog.client()
        job = await scheduler.submit(parent=PROJECT, dataset_version=dataset)
        assignment = await worker.take()
        attempt = await catalog.client_with(assignment.token)
        await attempt.execute(job.name, 1)
        await attempt.pushed(f"{job.name}/checkpoints/10", {"w": b"w"})
        await attempt.pushed(f"{job.name}/outputs/run", {"events": b"e"})
        model = await attempt.pushed(job.spec.model, {"saved_model.pb": b"m"})
        await worker.complete(assignment.attempt, model_version=model)

        async def stored() -> list[str]:
            checkpoints = lineage_service_pb2.ListCheckpointsRequest(parent=job.name)
            outputs = lineage_service_pb2.ListOutputsRequest(parent=job.name)
            found = [one.name for one in (await admin.lineage.ListCheckpoints(checkpoints)).checkpoints]
            return found + [one.name for one in (await admin.lineage.ListOutputs(outputs)).outputs]

        assert await stored() == [f"{job.name}/checkpoints/10", f"{job.name}/outputs/run"]
        # The end may not be told yet: the catalog hears of it before it hears of the deletion.
        await scheduler.jobs.DeleteJob(job_service_pb2.DeleteJobRequest(name=job.name))

        async def freed() -> bool:
            return not await stored()

        await eventually(freed)
        assert await admin.read(model) == {"saved_model.pb": b"m"}


async def test_a_package_that_is_not_there_or_no_code_is_refused_by_the_real_catalog_too(
    tmp_path: Path, seaweedfs: RunningStore, issuers: Issuers
) -> None:
    async with beside_the_catalog(tmp_path, seaweedfs, issuers) as (catalog, scheduler):
        dataset = await pushed(catalog)
        admin = await catalog.client()
        files = await admin.pushed(f"{PROJECT}/packages/files", {"deep/train.py": b""})
        huge = await admin.pushed(f"{PROJECT}/packages/huge", {"a.py": b"", "template.toml": b"#" * 65_537})
        absent = f"{PROJECT}/packages/files/versions/2"
        for package, code in (
            (files, grpc.StatusCode.INVALID_ARGUMENT),
            (huge, grpc.StatusCode.FAILED_PRECONDITION),
            (absent, grpc.StatusCode.NOT_FOUND),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await scheduler.submit(parent=PROJECT, template="", package_version=package, dataset_version=dataset)
            failure = failure_of(caught.value)
            assert (failure.code, list(failure.fields)) == (code, ["job.spec.package_version"])
