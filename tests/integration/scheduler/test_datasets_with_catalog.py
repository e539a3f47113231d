"""Versions of datasets that jobs look at or make, with a real catalog."""

from pathlib import Path

import grpc
import pytest

from modelyard.api.catalog.v1 import (
    dataset_service_pb2,
    lineage_service_pb2,
    model_pb2,
    statistics_pb2,
)
from modelyard.api.scheduler.v1 import job_pb2, job_service_pb2
from modelyard.foundation.rpc.status import failure_of
from tests.integration.scheduler.test_with_catalog import DIGITS, PROJECT, beside_the_catalog, pushed
from tests.support.eventually import eventually
from tests.support.scheduling import (
    templates_of_every_kind,
)
from tests.support.seaweedfs import RunningStore
from tests.support.servers import Issuers


async def test_a_pushed_version_is_profiled_and_whoever_asks_hears_where_that_stands(
    tmp_path: Path, seaweedfs: RunningStore, issuers: Issuers
) -> None:
    templates = templates_of_every_kind(tmp_path / "templates")
    async with (
        beside_the_catalog(tmp_path, seaweedfs, issuers, templates) as (catalog, scheduler),
        scheduler.worker() as worker,
    ):
        admin = await catalog.client()

        async def reason(version: str) -> str:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await admin.datasets.GetStatistics(dataset_service_pb2.GetStatisticsRequest(name=version))
            return failure_of(caught.value).reason

        # Also one that does not describe itself: whatever is pushed, and by whatever client.
        bare = await admin.pushed(f"{PROJECT}/datasets/bare", {"x": b"x"})
        assert await reason(bare) == "STATISTICS_PENDING"
        first = await worker.take()
        assert (first.spec.template, first.spec.dataset_version, list(first.devices)) == ("profile", bare, [])
        failure = {"failure_class": job_pb2.Job.FAILURE_CLASS_INVALID_DATA, "message": "it does not describe itself"}
        await worker.complete(first.attempt, job_pb2.Attempt.STATE_FAILED, **failure)

        async def told() -> bool:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await admin.datasets.GetStatistics(dataset_service_pb2.GetStatisticsRequest(name=bare))
            return failure_of(caught.value).message.endswith(" failed: it does not describe itself")

        await eventually(told)
        assert await reason(bare) == "STATISTICS_NOT_AVAILABLE"

        version = await pushed(catalog)
        second = await worker.take()
        attempt = await catalog.client_with(second.token)
        await attempt.execute(second.attempt.rpartition("/attempts/")[0], 1)
        statistics = statistics_pb2.Statistics(dataset_version=version)
        statistics.splits.add(name="train", example_count=2)
        await attempt.datasets.RecordStatistics(dataset_service_pb2.RecordStatisticsRequest(statistics=statistics))
        await worker.complete(second.attempt, job_pb2.Attempt.STATE_SUCCEEDED, model_version="")
        found = await admin.datasets.GetStatistics(dataset_service_pb2.GetStatisticsRequest(name=version))
        assert (found.splits[0].example_count, f"{found.job}/attempts/1") == (2, second.attempt)

        third = await admin.pushed(DIGITS, {"another": b"version"})
        running = await worker.take()
        await admin.datasets.DeleteDatasetVersion(dataset_service_pb2.DeleteDatasetVersionRequest(name=third))
        await worker.complete(running.attempt, job_pb2.Attempt.STATE_FAILED, **failure)
        request = job_service_pb2.ListJobsRequest(parent=PROJECT, show_profiles=True)
        assert len((await scheduler.jobs.ListJobs(request)).jobs) == 3


async def test_a_prediction_makes_a_version_of_its_dataset_which_is_profiled_in_turn(
    tmp_path: Path, seaweedfs: RunningStore, issuers: Issuers
) -> None:
    templates = templates_of_every_kind(tmp_path / "templates")
    async with (
        beside_the_catalog(tmp_path, seaweedfs, issuers, templates) as (catalog, scheduler),
        scheduler.worker() as worker,
    ):
        dataset = await pushed(catalog)
        await worker.complete((await worker.take()).attempt, job_pb2.Attempt.STATE_SUCCEEDED, model_version="")
        await scheduler.submit(parent=PROJECT, dataset_version=dataset)
        training = await worker.take()
        attempt = await catalog.client_with(training.token)
        await attempt.execute(training.attempt.rpartition("/attempts/")[0], 1)
        model = await attempt.pushed(training.spec.model, {"saved_model.pb": b"m"}, info=model_pb2.ModelInfo())
        await worker.complete(training.attempt, model_version=model)

        answers = f"{PROJECT}/datasets/answers"
        fields = {"template": "predict", "model_version": model, "output_dataset": answers}
        job = await scheduler.submit(parent=PROJECT, dataset_version=dataset, **fields)
        prediction = await worker.take()
        attempt = await catalog.client_with(prediction.token)
        await attempt.execute(job.name, 1)
        version = await attempt.pushed(answers, {"answers.csv": b"1"})
        await worker.complete(prediction.attempt, output_dataset_version=version)
        assert (await scheduler.job(job.name)).output_dataset_version == version

        assert (await worker.take()).spec.dataset_version == version
        admin = await catalog.client()
        query = lineage_service_pb2.QueryLineageRequest(name=version)
        edges = {one.consumer: one for one in (await admin.lineage.QueryLineage(query)).executions}
        assert {ref.name for ref in edges[job.name].inputs} == {dataset, model}
        assert [ref.name for ref in edges[job.name].outputs] == [version]
