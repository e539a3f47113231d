"""What is in a dataset version: a job is found for each, records it once, and everybody is told where it stands."""

import math

import grpc
import pytest

from modelyard.api.catalog.v1 import (
    dataset_pb2,
    dataset_service_pb2,
    execution_pb2,
    lineage_service_pb2,
    project_pb2,
    project_service_pb2,
    statistics_pb2,
)
from modelyard.foundation.rpc.status import failure_of, reason_of
from tests.support.catalog import PROJECT, Client, RunningCatalog

DIGITS = f"{PROJECT}/datasets/digits"
JOB = f"{PROJECT}/jobs/profile-1"
PAGE = f"{JOB}/outputs/profile"
FAILED = execution_pb2.Execution.STATE_FAILED


async def failed(call: object) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    return caught.value


def counted(version: str, report: str = "") -> statistics_pb2.Statistics:
    """Some of everything, as a profile job says it."""
    message = statistics_pb2.Statistics(dataset_version=version, report=report, findings=["one class only"])
    message.splits.add(name="train", example_count=900, undecodable_count=1)
    age = message.features.add(name="age", kind=dataset_pb2.Feature.KIND_NUMBER, count=890, missing_count=10)
    age.number.mean = 38.5
    age.number.histogram.bounds.extend([0.0, 50.0, 100.0])
    age.number.histogram.counts.extend([1 << 53, 3])
    age.shapes.add(shape=[28, 28, 1], count=900)
    message.duplicates.groups.add(example_count=2, origins=["a.csv:3", "a.csv:9"])
    message.undecodable.examples.add(origin="b/ü.png", reason="it ends in the middle of a row")
    return message


async def record(client: Client, message: statistics_pb2.Statistics) -> statistics_pb2.Statistics:
    request = dataset_service_pb2.RecordStatisticsRequest(statistics=message)
    return await client.datasets.RecordStatistics(request)


async def statistics(client: Client, version: str) -> statistics_pb2.Statistics:
    return await client.datasets.GetStatistics(dataset_service_pb2.GetStatisticsRequest(name=version))


async def unprofiled(client: Client, page_size: int = 0) -> list[str]:
    """All names, page by page."""
    names: list[str] = []
    request = dataset_service_pb2.ListUnprofiledVersionsRequest(page_size=page_size)
    while True:
        answer = await client.datasets.ListUnprofiledVersions(request)
        names += [version.name for version in answer.dataset_versions]
        if not answer.next_page_token:
            return names
        request.page_token = answer.next_page_token


async def set_job(client: Client, version: str, job: str = JOB) -> None:
    await client.datasets.SetProfileJob(dataset_service_pb2.SetProfileJobRequest(name=version, job=job))


async def delete(client: Client, version: str) -> None:
    await client.datasets.DeleteDatasetVersion(dataset_service_pb2.DeleteDatasetVersionRequest(name=version))


@pytest.fixture
async def scheduler(catalog: RunningCatalog) -> Client:
    return await catalog.client("service", "*", "services/scheduler")


@pytest.fixture
async def dataset(admin: Client) -> str:
    return await admin.pushed(DIGITS, {"x": b"x"})


@pytest.fixture
async def profile(catalog: RunningCatalog, scheduler: Client, dataset: str) -> Client:
    """The attempt of the job that profiles the dataset."""
    await scheduler.execute(JOB, 0, dataset, weak=True)
    await set_job(scheduler, dataset)
    client = await catalog.attempt(JOB, 1)
    await client.execute(JOB, 1)
    return client


async def test_what_a_job_found_is_kept_as_it_was_said(catalog: RunningCatalog, profile: Client, dataset: str) -> None:
    await profile.pushed(PAGE, {"page.html": b"<html>"})
    said = counted(dataset, PAGE)

    recorded = await record(profile, said)

    viewer = await catalog.client("viewer", "default", "users/ben")
    assert await statistics(viewer, f"{DIGITS}/versions/latest") == recorded
    assert (recorded.job, recorded.HasField("create_time")) == (JOB, True)
    for field in ("job", "create_time"):
        recorded.ClearField(field)
    assert recorded == said


async def test_the_same_job_records_once_and_a_later_job_replaces_it(
    catalog: RunningCatalog, scheduler: Client, profile: Client, admin: Client, dataset: str
) -> None:
    first = await record(profile, counted(dataset))
    two = await catalog.attempt(JOB, 2)
    await two.execute(JOB, 2)
    other = counted(dataset)
    other.splits[0].example_count = 1
    assert await record(two, other) == first
    await two.end(JOB, 2)
    assert await record(two, other) == first

    again = f"{PROJECT}/jobs/again"
    await scheduler.execute(again, 0, dataset)
    later = await catalog.attempt(again, 1)
    await later.execute(again, 1)
    await record(later, other)

    found = await statistics(admin, dataset)
    assert (found.job, found.splits[0].example_count) == (again, 1)


async def test_who_asks_too_early_or_in_vain_hears_what_became_of_the_job(
    catalog: RunningCatalog, scheduler: Client, admin: Client, dataset: str
) -> None:
    none = failure_of(await failed(statistics(admin, dataset)))
    assert (none.code, none.reason) == (grpc.StatusCode.NOT_FOUND, "STATISTICS_PENDING")
    await scheduler.execute(JOB, 0, dataset, weak=True)
    await set_job(scheduler, dataset)
    waits = failure_of(await failed(statistics(admin, dataset)))
    assert (waits.reason, waits.facts["job"]) == ("STATISTICS_PENDING", JOB)

    await scheduler.end(JOB, 1, FAILED, "the image train/a.png is no image")

    never = failure_of(await failed(statistics(admin, f"{DIGITS}/versions/latest")))
    assert (never.code, never.reason, never.facts["job"]) == (
        grpc.StatusCode.NOT_FOUND,
        "STATISTICS_NOT_AVAILABLE",
        JOB,
    )
    assert never.message == f"{dataset} has no statistics: {JOB} failed: the image train/a.png is no image"
    gone = failure_of(await failed(statistics(admin, f"{DIGITS}/versions/9")))
    assert (gone.code, gone.reason) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


async def test_the_scheduler_finds_each_new_version_of_every_project_until_it_has_a_job(
    scheduler: Client, admin: Client, dataset: str
) -> None:
    request = project_service_pb2.CreateProjectRequest(project_id="p2", project=project_pb2.Project())
    await admin.projects.CreateProject(request)
    second = await admin.pushed(DIGITS, {"x": b"y"})
    elsewhere = await admin.pushed("projects/p2/datasets/d", {"x": b"x"})
    await admin.pushed(f"{PROJECT}/packages/code", {"train.py": b"pass"})
    assert (await admin.push(DIGITS, {"x": b"y"})).unchanged
    gone = await admin.pushed(f"{PROJECT}/datasets/gone", {"x": b"x"})
    await delete(admin, gone)

    assert await unprofiled(scheduler) == await unprofiled(scheduler, page_size=1) == [dataset, second, elsewhere]
    await set_job(scheduler, second)
    await set_job(scheduler, second)
    assert await unprofiled(scheduler) == [dataset, elsewhere]
    stranger = failure_of(await failed(set_job(scheduler, elsewhere)))
    assert (stranger.code, list(stranger.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, ["job"])


async def test_a_version_that_is_being_profiled_is_deleted_all_the_same(
    profile: Client, admin: Client, dataset: str
) -> None:
    await record(profile, counted(dataset))

    await delete(admin, dataset)

    assert (await failed(statistics(admin, dataset))).code() is grpc.StatusCode.NOT_FOUND
    assert (await failed(record(profile, counted(dataset)))).code() is grpc.StatusCode.NOT_FOUND
    await admin.datasets.DeleteDataset(dataset_service_pb2.DeleteDatasetRequest(name=DIGITS))


async def test_the_profile_is_in_the_lineage(profile: Client, admin: Client, dataset: str) -> None:
    found = await admin.lineage.QueryLineage(lineage_service_pb2.QueryLineageRequest(name=dataset))
    assert [(one.consumer, [ref.name for ref in one.inputs]) for one in found.executions] == [(JOB, [dataset])]


async def test_only_a_job_that_has_the_version_as_input_says_what_is_in_it(
    catalog: RunningCatalog, scheduler: Client, profile: Client, admin: Client, dataset: str
) -> None:
    error = await failed(record(admin, counted(dataset)))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.PERMISSION_DENIED, "ONLY_ATTEMPTS")
    other = await admin.pushed(f"{PROJECT}/datasets/other", {"o": b"o"})
    failure = failure_of(await failed(record(profile, counted(other))))
    assert (failure.reason, list(failure.fields)) == ("NOT_AN_INPUT", ["statistics.dataset_version"])
    two = await catalog.attempt(JOB, 2)
    await two.execute(JOB, 2)
    error = await failed(record(profile, counted(dataset)))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.ABORTED, "STALE_ATTEMPT")
    absent = failure_of(await failed(record(two, counted(dataset, PAGE))))
    assert (absent.code, absent.resource) == (grpc.StatusCode.NOT_FOUND, PAGE)


async def test_what_is_no_statistics_is_refused_with_its_field(profile: Client, admin: Client, dataset: str) -> None:
    def changed(path: str) -> statistics_pb2.Statistics:
        message = counted(dataset)
        match path:
            case "dataset_version":
                message.dataset_version = f"{DIGITS}/versions/latest"
            case "splits":
                message.ClearField("splits")
            case "features.number.mean":
                message.features[0].number.mean = math.nan
            case "features.number.histogram.bounds":
                message.features[0].number.histogram.bounds.append(math.inf)
            case "features.count":
                message.features[0].count = -1
            case "findings":
                message.findings.extend(["x"] * 10_000)
            case "undecodable.examples.reason":
                message.undecodable.examples[0].reason = "\0"
            case "features.name":
                message.features[0].name = "n" * 2049
            case "report":
                message.report = f"{PROJECT}/jobs/other/outputs/profile"
            case "":
                message.findings.extend(["x" * 2000] * 1600)
        return message

    fields = ["dataset_version", "splits", "features.number.mean", "features.number.histogram.bounds", "features.count"]
    for field in (*fields, "findings", "undecodable.examples.reason", "features.name", "report", ""):
        failure = failure_of(await failed(record(profile, changed(field))))
        path = f"statistics.{field}" if field else "statistics"
        assert (failure.code, list(failure.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, [path])
    assert reason_of(await failed(statistics(admin, dataset))) == "STATISTICS_PENDING"
