"""A job may add one version to the dataset that it was begun for, and to no other."""

import grpc
import pytest

from modelyard.api.catalog.v1 import (
    dataset_service_pb2,
    execution_pb2,
    lineage_service_pb2,
    upload_pb2,
    upload_service_pb2,
)
from modelyard.foundation.rpc.status import failure_of, reason_of
from tests.support.catalog import PROJECT, Client, RunningCatalog

JOB = f"{PROJECT}/jobs/predict"
ANSWERS = f"{PROJECT}/datasets/answers"
LABELS = {"job": JOB, "model": f"{PROJECT}/models/m/versions/1"}


async def failed(call: object) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    return caught.value


@pytest.fixture
async def dataset(admin: Client) -> str:
    return await admin.pushed(f"{PROJECT}/datasets/questions", {"x": b"x"})


@pytest.fixture
async def scheduler(catalog: RunningCatalog, dataset: str) -> Client:
    """The scheduler, which has begun the job."""
    client = await catalog.client("service", "*", "services/scheduler")
    begun = await client.execute(JOB, 0, dataset, output_dataset=ANSWERS)
    assert begun.output_dataset == ANSWERS
    return client


@pytest.fixture
async def one(catalog: RunningCatalog, scheduler: Client) -> Client:
    client = await catalog.attempt(JOB, 1)
    await client.execute(JOB, 1)
    return client


async def test_an_attempt_makes_the_version_and_its_lineage(one: Client, admin: Client, dataset: str) -> None:
    version = await one.pushed(ANSWERS, {"answers.csv": b"a"}, labels=LABELS)
    await one.end(JOB, 1)

    assert version == f"{ANSWERS}/versions/1"
    request = dataset_service_pb2.GetDatasetVersionRequest(name=version)
    found = await admin.datasets.GetDatasetVersion(request)
    assert (found.creator, dict(found.labels)) == (f"{JOB}/attempts/1", LABELS)
    lineage = await admin.lineage.QueryLineage(lineage_service_pb2.QueryLineageRequest(name=version))
    (execution,) = lineage.executions
    assert ([ref.name for ref in execution.inputs], [ref.name for ref in execution.outputs]) == ([dataset], [version])
    assert await one.read(version) == {"answers.csv": b"a"}


async def test_a_job_makes_one_version_however_often_its_attempts_push(
    catalog: RunningCatalog, one: Client, admin: Client
) -> None:
    first = await one.pushed(ANSWERS, {"answers.csv": b"a"})
    two = await catalog.attempt(JOB, 2)
    await two.execute(JOB, 2)

    assert await two.pushed(ANSWERS, {"answers.csv": b"another answer"}) == first
    assert await admin.read(first) == {"answers.csv": b"a"}
    assert await admin.pushed(ANSWERS, {"x": b"a person's"}) == f"{ANSWERS}/versions/2"


async def test_an_older_attempt_is_shut_out(catalog: RunningCatalog, one: Client) -> None:
    upload, objects = await one.begin(ANSWERS, {"x": b"late"})
    await one.send(upload, objects)
    two = await catalog.attempt(JOB, 2)
    await two.execute(JOB, 2)

    for call in (one.commit(upload.name), one.begin(ANSWERS, {"x": b"later"})):
        error = await failed(call)
        assert (error.code(), reason_of(error)) == (grpc.StatusCode.ABORTED, "STALE_ATTEMPT")


async def test_no_other_dataset_and_no_package_takes_it(
    catalog: RunningCatalog, scheduler: Client, one: Client, dataset: str
) -> None:
    trains = f"{PROJECT}/jobs/train"
    await scheduler.execute(trains, 0, dataset)
    training = await catalog.attempt(trains, 1)
    await training.execute(trains, 1)
    for call, words in (
        (one.begin(f"{PROJECT}/datasets/questions", {"x": b"x"}), f"{JOB} makes a version of {ANSWERS}, none of"),
        (training.begin(ANSWERS, {"x": b"x"}), f"{trains} makes no dataset version"),
        (one.begin(f"{PROJECT}/packages/p", {"x": b"x"}), "an attempt stores no packages"),
        (one.begin("projects/other/datasets/answers", {"x": b"x"}), "projects/other"),
    ):
        error = await failed(call)
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED
        assert words in str(error.details())


async def test_what_an_attempt_uploads_is_its_own(one: Client, admin: Client) -> None:
    upload, objects = await one.begin(ANSWERS, {"x": b"mine"})
    await one.send(upload, objects)

    error = await failed(admin.commit(upload.name))

    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    aborted = await admin.uploads.AbortUpload(upload_service_pb2.AbortUploadRequest(name=upload.name))
    assert aborted.state == upload_pb2.Upload.STATE_ABORTED


@pytest.mark.parametrize(
    ("consumer", "output"),
    [
        (f"{PROJECT}/jobs/j", f"{PROJECT}/models/m"),
        (f"{PROJECT}/jobs/j", f"{ANSWERS}/versions/1"),
        (f"{PROJECT}/jobs/j", "projects/other/datasets/answers"),
        (f"{PROJECT}/deployments/d", ANSWERS),
    ],
)
async def test_what_can_not_be_made_is_refused(scheduler: Client, dataset: str, consumer: str, output: str) -> None:
    failure = failure_of(await failed(scheduler.execute(consumer, 0, dataset, output_dataset=output)))
    assert (failure.code, list(failure.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, ["output_dataset"])


async def test_what_a_job_makes_is_fixed_with_attempt_0(scheduler: Client, dataset: str) -> None:
    assert (await scheduler.execute(JOB, 0, dataset, output_dataset=ANSWERS)).output_dataset == ANSWERS
    failure = failure_of(await failed(scheduler.execute(JOB, 0, dataset, output_dataset=f"{PROJECT}/datasets/other")))
    assert (failure.code, list(failure.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, ["output_dataset"])


async def test_why_an_execution_failed_is_kept(scheduler: Client) -> None:
    await scheduler.end(JOB, 1, execution_pb2.Execution.STATE_FAILED, "x" * 3000)
    again = await scheduler.end(JOB, 1, execution_pb2.Execution.STATE_FAILED, "something else")
    assert again.message == "x" * 2000
