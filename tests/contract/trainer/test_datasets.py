"""What an attempt finds out about a dataset, or makes of one, with a real catalog at the other end."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import grpc
import pytest

from modelyard.api.catalog.v1 import dataset_service_pb2, lineage_service_pb2
from modelyard.foundation.objectstore.s3 import S3Settings
from modelyard.sdk.connection import Connection
from modelyard.sdk.discovery import Access
from modelyard.templates.specs import Kind
from modelyard.trainer.adapters.catalog import CatalogAttempt
from modelyard.trainer.domain import AttemptFailed, AttemptStopped, FailureClass
from modelyard.trainer.reporter import Reporter
from modelyard.trainer.work import Work
from tests.support.buckets import own_bucket
from tests.support.catalog import PROJECT, Client, RunningCatalog, running_catalog
from tests.support.seaweedfs import RunningStore

JOB = f"{PROJECT}/jobs/j"
ANSWERS = f"{PROJECT}/datasets/answers"
FOUND = {
    "splits": [{"name": "train", "exampleCount": "3"}],
    "features": [{"name": "age", "kind": "KIND_NUMBER", "count": 3, "number": {"mean": 1.5}}],
    "datasetVersion": "projects/default/datasets/another/versions/7",
}


@pytest.fixture
def s3_settings(seaweedfs: RunningStore) -> Iterator[S3Settings]:
    with own_bucket(seaweedfs.store.settings) as settings:
        yield settings


@pytest.fixture
async def catalog(tmp_path: Path, s3_settings: S3Settings) -> AsyncIterator[RunningCatalog]:
    async with running_catalog(tmp_path, s3_settings) as running:
        yield running


@pytest.fixture
async def admin(catalog: RunningCatalog) -> Client:
    return await catalog.client()


@asynccontextmanager
async def attempt(
    catalog: RunningCatalog, dataset: str, *, job: str = JOB, **work: Any
) -> AsyncIterator[CatalogAttempt]:
    """Attempt 1 of the job, which has begun."""
    scheduler = await catalog.client("service", "*", "services/scheduler")
    await scheduler.execute(job, 0, dataset, output_dataset=work.get("output_dataset", ""))
    token = catalog.issuers.token("attempt", "default", f"{job}/attempts/1")
    connection = Connection(Access(catalog.address), token=lambda: token)
    done = Work(f"{job}/attempts/1", dataset, "sha256:1", "", (), 0, 30.0, **work)
    nothing = cast("Any", None)
    try:
        one = CatalogAttempt(connection, done, nothing, nothing, {}, patience_s=5)
        await one.begin(reporter())
        yield one
    finally:
        connection.close()


def reporter() -> Reporter:
    return Reporter(f"{JOB}/attempts/1", cast("Any", None))


def profile(folder: Path, text: str) -> Path:
    folder = folder / "profile"
    folder.mkdir()
    (folder / "profile.json").write_text(text)
    (folder / "page.html").write_text("<html>")
    return folder


async def test_statistics_are_recorded_with_the_page_that_shows_them(
    catalog: RunningCatalog, admin: Client, tmp_path: Path
) -> None:
    dataset = await admin.pushed(f"{PROJECT}/datasets/d", {"x": b"x"})
    async with attempt(catalog, dataset, kind=Kind.PROFILE) as one:
        await one.record_statistics(profile(tmp_path, json.dumps(FOUND)), "profile.json", reporter())

    request = dataset_service_pb2.GetStatisticsRequest(name=dataset)
    found = await admin.datasets.GetStatistics(request)
    # Which version it was is the worker's to say.
    assert (found.dataset_version, found.job, found.report) == (dataset, JOB, f"{JOB}/outputs/profile")
    assert (found.splits[0].example_count, found.features[0].number.mean) == (3, 1.5)
    assert set(await admin.read(found.report)) == {"profile.json", "page.html"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "can't be read"),
        ('["splits"]', "can't be read"),
        ('{"spilts": []}', 'no field named "spilts"'),
        ('{"splits": 3}', "can't be read"),
        ('{"splits": [' * 10 + "]}" * 10, "can't be read"),
        ('{"findings": ["' + "x" * (32 << 20) + '"]}', "more than 33,554,432 bytes"),
        ("{}", "statistics.splits is empty"),
    ],
)
async def test_what_is_no_statistics_fails_the_attempt(
    catalog: RunningCatalog, admin: Client, tmp_path: Path, text: str, words: str
) -> None:
    dataset = await admin.pushed(f"{PROJECT}/datasets/d", {"x": b"x"})
    async with attempt(catalog, dataset, kind=Kind.PROFILE) as one:
        with pytest.raises(AttemptFailed) as caught:
            await one.record_statistics(profile(tmp_path, text), "profile.json", reporter())
    assert words in caught.value.message


async def test_statistics_of_a_version_that_was_deleted_meanwhile_are_nobodys(
    catalog: RunningCatalog, admin: Client, tmp_path: Path
) -> None:
    dataset = await admin.pushed(f"{PROJECT}/datasets/d", {"x": b"x"})
    scheduler = await catalog.client("service", "*", "services/scheduler")
    await scheduler.execute(JOB, 0, dataset, weak=True)
    async with attempt(catalog, dataset, kind=Kind.PROFILE) as one:
        await admin.datasets.DeleteDatasetVersion(dataset_service_pb2.DeleteDatasetVersionRequest(name=dataset))
        with pytest.raises(AttemptFailed) as caught:
            await one.record_statistics(profile(tmp_path, json.dumps(FOUND)), "profile.json", reporter())
    assert caught.value.failure_class is FailureClass.INVALID_DATA
    assert caught.value.message == f"{dataset} does not exist"


async def test_answers_are_a_dataset_version_that_names_what_it_came_from(
    catalog: RunningCatalog, admin: Client, tmp_path: Path
) -> None:
    dataset = await admin.pushed(f"{PROJECT}/datasets/d", {"x": b"x"})
    (tmp_path / "answers").mkdir()
    (tmp_path / "answers" / "modelyard.dataset.json").write_text("{}")
    (tmp_path / "answers" / "answers.csv").write_text("a,b\n")
    model = f"{PROJECT}/models/m/versions/1"
    work = {"kind": Kind.PREDICTION, "output_dataset": ANSWERS, "model_version": model}
    async with attempt(catalog, dataset, **work) as one:
        version = await one.register_dataset(tmp_path / "answers", reporter())
        assert await one.register_dataset(tmp_path / "answers", reporter()) == version

    assert version == f"{ANSWERS}/versions/1"
    found = await admin.datasets.GetDatasetVersion(dataset_service_pb2.GetDatasetVersionRequest(name=version))
    assert dict(found.labels) == {"model": model, "dataset": dataset, "job": JOB}
    lineage = await admin.lineage.QueryLineage(lineage_service_pb2.QueryLineageRequest(name=version))
    assert [ref.name for ref in lineage.executions[0].inputs] == [dataset]


async def test_answers_that_do_not_describe_themselves_are_no_dataset(
    catalog: RunningCatalog, admin: Client, tmp_path: Path
) -> None:
    dataset = await admin.pushed(f"{PROJECT}/datasets/d", {"x": b"x"})
    (tmp_path / "answers").mkdir()
    async with attempt(catalog, dataset, kind=Kind.PREDICTION, output_dataset=ANSWERS) as one:
        with pytest.raises(AttemptFailed, match=r"they have no modelyard\.dataset\.json"):
            await one.register_dataset(tmp_path / "answers", reporter())


async def test_an_attempt_that_was_replaced_stores_neither(
    catalog: RunningCatalog, admin: Client, tmp_path: Path
) -> None:
    dataset = await admin.pushed(f"{PROJECT}/datasets/d", {"x": b"x"})
    async with attempt(catalog, dataset, kind=Kind.PROFILE) as one:
        two = await catalog.attempt(JOB, 2)
        await two.execute(JOB, 2)
        with pytest.raises(AttemptStopped):
            await one.record_statistics(profile(tmp_path, json.dumps(FOUND)), "profile.json", reporter())


async def test_a_profile_begins_with_what_was_found_in_the_newest_earlier_versions_that_have_a_profile(
    catalog: RunningCatalog, admin: Client, tmp_path: Path
) -> None:
    name = f"{PROJECT}/datasets/d"
    versions = [await admin.pushed(name, {"x": f"{number}".encode()}) for number in range(6)]
    first, _, *others, last = versions
    async with attempt(catalog, first, kind=Kind.PROFILE) as one:
        assert await one.earlier_profiles(tmp_path / "none", reporter()) == ()
        made = profile(tmp_path, json.dumps(FOUND))
        await one.record_statistics(made, "profile.json", reporter())
    other = await admin.pushed(f"{PROJECT}/datasets/other", {"x": b"x"})

    async with attempt(catalog, others[0], job=f"{PROJECT}/jobs/third", kind=Kind.PROFILE) as third:
        assert await third.earlier_profiles(tmp_path / "one", reporter()) == (first,)
    assert (tmp_path / "one" / "1" / "profile.json").read_text() == json.dumps(FOUND)
    for number, version in enumerate(others):
        async with attempt(catalog, version, job=f"{PROJECT}/jobs/job-{number}", kind=Kind.PROFILE) as one:
            await one.record_statistics(made, "profile.json", reporter())
    async with attempt(catalog, last, job=f"{PROJECT}/jobs/last", kind=Kind.PROFILE) as sixth:
        assert await sixth.earlier_profiles(tmp_path / "some", reporter()) == (*reversed(others),)
    assert sorted(path.name for path in (tmp_path / "some").iterdir()) == ["3", "4", "5"]
    assert not (tmp_path / "none").exists()
    stranger = f"{PROJECT}/jobs/stranger"
    async with attempt(catalog, other, job=stranger):
        client = await catalog.attempt(stranger, 1)
        for call in (
            client.datasets.GetStatistics(dataset_service_pb2.GetStatisticsRequest(name=first)),
            client.read(f"{JOB}/outputs/profile"),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
