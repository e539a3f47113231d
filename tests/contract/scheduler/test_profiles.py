"""Every dataset version gets one job that profiles it, beside the others and out of their sight."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from pydantic import SecretStr

from modelyard.api.catalog.v1 import dataset_pb2, execution_pb2
from modelyard.api.scheduler.v1 import device_pb2, job_pb2, job_service_pb2, template_pb2
from modelyard.foundation.config import SqlSettings
from modelyard.foundation.rpc.status import failure_of
from modelyard.scheduler.service import profiles
from modelyard.scheduler.settings import SchedulerSettings
from tests.support.dataset_catalog import DATASET, PROJECT, VERSION, DatasetCatalog
from tests.support.eventually import eventually
from tests.support.scheduling import Scheduler, running_scheduler, scheduler_settings, templates_of_every_kind
from tests.support.servers import Issuers

State, Attempt = job_pb2.Job.State, job_pb2.Attempt
PROFILE = {"template": "profile"}


@pytest.fixture
def settings(tmp_path: Path, dataset_catalog: DatasetCatalog, issuers: Issuers) -> SchedulerSettings:
    sql = SqlSettings(url=SecretStr(f"sqlite:///{tmp_path}/scheduler.sqlite"))
    templates = templates_of_every_kind(tmp_path / "templates")
    return scheduler_settings(tmp_path, sql, dataset_catalog.target, issuers, templates=templates)


@pytest.fixture
async def scheduler(
    settings: SchedulerSettings, dataset_catalog: DatasetCatalog, issuers: Issuers
) -> AsyncIterator[Scheduler]:
    async with running_scheduler(settings, dataset_catalog, issuers) as running:
        yield running


def pushed(catalog: DatasetCatalog, number: int, dataset: str = DATASET) -> str:
    """A version that nobody has profiled."""
    name = f"{dataset}/versions/{number}"
    catalog.unprofiled.append(dataset_pb2.DatasetVersion(name=name, uid=f"{len(catalog.unprofiled):032x}"))
    return name


async def listed(scheduler: Scheduler, parent: str = PROJECT, *, all_: bool = True) -> list[job_pb2.Job]:
    request = job_service_pb2.ListJobsRequest(parent=parent, show_profiles=all_)
    return list((await scheduler.jobs.ListJobs(request)).jobs)


async def profiled(catalog: DatasetCatalog, *versions: str) -> list[str]:
    """The jobs of these versions, once each has one."""

    async def all_there() -> list[str] | None:
        known = [catalog.profile_jobs.get(version) for version in versions]
        return None if None in known else known  # type: ignore[return-value]

    return list(await eventually(all_there))


async def test_each_new_version_of_every_project_gets_a_job(scheduler: Scheduler) -> None:
    versions = [
        pushed(scheduler.catalog, 1),
        pushed(scheduler.catalog, 2),
        pushed(scheduler.catalog, 7, "projects/q/datasets/d"),
    ]

    jobs = await profiled(scheduler.catalog, *versions)

    assert len(set(jobs)) == 3
    assert [(await scheduler.job(job)).spec.dataset_version for job in jobs] == versions
    assert [job.name for job in await listed(scheduler, "projects/q")] == [jobs[2]]
    job = await scheduler.job(jobs[0])
    assert (job.spec.template, job.kind, job.creator) == (
        "profile",
        template_pb2.Template.KIND_PROFILE,
        "services/scheduler",
    )
    assert (job.spec.devices.count, job.spec.max_runtime.seconds, job.spec.model) == (0, 3600, "")
    (begun,) = [each for each in scheduler.catalog.begun if each.consumer == jobs[0]]
    assert (list(begun.inputs), begun.weak) == ([versions[0]], True)


async def test_they_are_listed_only_when_asked_for(scheduler: Scheduler) -> None:
    (profile,) = await profiled(scheduler.catalog, pushed(scheduler.catalog, 1))
    training = (await scheduler.submit()).name

    assert [job.name for job in await listed(scheduler, all_=False)] == [training]
    assert [job.name for job in await listed(scheduler)] == [training, profile]
    request = job_service_pb2.ListJobsRequest(parent=PROJECT, show_profiles=True, page_size=1)
    page = await scheduler.jobs.ListJobs(request)
    request.page_token, request.show_profiles = page.next_page_token, False
    with pytest.raises(grpc.aio.AioRpcError):
        await scheduler.jobs.ListJobs(request)


async def test_a_worker_that_trains_profiles_beside_it(scheduler: Scheduler) -> None:
    await scheduler.submit()
    async with scheduler.worker() as worker:
        training = await worker.take()
        await worker.run(training.attempt)
        version = pushed(scheduler.catalog, 1)
        profile = await worker.take()
        assert (profile.spec.dataset_version, list(profile.devices)) == (version, [])
        assert len(training.devices) == 1
        await worker.complete(profile.attempt, outcome=Attempt.STATE_SUCCEEDED, model_version="")
        (job,) = await profiled(scheduler.catalog, version)
        assert (await scheduler.job(job)).state == State.STATE_SUCCEEDED
    ended = await eventually(lambda: next((one for one in scheduler.catalog.ended if one.consumer == job), None))
    assert ended.outcome == execution_pb2.Execution.STATE_SUCCEEDED


async def test_a_profile_has_made_nothing_else(scheduler: Scheduler) -> None:
    pushed(scheduler.catalog, 1)
    async with scheduler.worker() as worker:
        attempt = (await worker.take()).attempt
        made: dict[str, Any] = {
            "model_version": f"{PROJECT}/models/m/versions/1",
            "evaluation": f"{PROJECT}/models/m/versions/1/evaluations/e",
            "output_dataset_version": VERSION,
        }
        for field, value in made.items():
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await worker.complete(attempt, **{field: value})
            assert list(failure_of(caught.value).fields) == [field]


async def test_one_that_fails_is_not_made_again_and_the_catalog_hears_why(scheduler: Scheduler) -> None:
    version = pushed(scheduler.catalog, 1)
    async with scheduler.worker() as worker:
        attempt = (await worker.take()).attempt
        failure = {"failure_class": job_pb2.Job.FAILURE_CLASS_INVALID_DATA, "message": "it does not describe itself"}
        await worker.complete(attempt, Attempt.STATE_FAILED, **failure)
        (job,) = await profiled(scheduler.catalog, version)
        ended = await eventually(lambda: next((one for one in scheduler.catalog.ended if one.consumer == job), None))
        assert (ended.outcome, ended.message) == (
            execution_pb2.Execution.STATE_FAILED,
            "it does not describe itself",
        )
        later = pushed(scheduler.catalog, 2)
        await profiled(scheduler.catalog, later)
    assert [job.spec.dataset_version for job in await listed(scheduler)] == [later, version]


async def test_a_version_that_is_gone_before_its_job_is_made_leaves_nothing(scheduler: Scheduler) -> None:
    scheduler.catalog.gone = {f"{DATASET}/versions/5"}
    pushed(scheduler.catalog, 5)
    await profiled(scheduler.catalog, pushed(scheduler.catalog, 6))
    assert [job.spec.dataset_version for job in await listed(scheduler)] == [f"{DATASET}/versions/6"]


async def test_a_catalog_that_is_away_is_asked_again_and_makes_one_job(scheduler: Scheduler) -> None:
    scheduler.catalog.refuse = [grpc.StatusCode.INTERNAL] * 3
    version = pushed(scheduler.catalog, 1)
    (job,) = await profiled(scheduler.catalog, version)
    # What a refused call has left half-way is undone; one job is what there is to see.
    assert [one.name for one in await listed(scheduler)] == [job]


async def test_a_version_whose_job_the_catalog_has_not_heard_of_gets_the_same_one_after_a_crash(
    settings: SchedulerSettings, dataset_catalog: DatasetCatalog, issuers: Issuers
) -> None:
    version = pushed(dataset_catalog, 1)
    async with running_scheduler(settings, dataset_catalog, issuers) as scheduler:
        (job,) = await profiled(dataset_catalog, version)
    dataset_catalog.profile_jobs.clear()
    async with running_scheduler(settings, dataset_catalog, issuers) as scheduler:
        assert await profiled(dataset_catalog, version) == [job]
        assert [one.name for one in await listed(scheduler)] == [job]


async def test_one_that_can_not_be_made_is_told_once_and_holds_up_nobody(
    scheduler: Scheduler, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    nameless = dataset_pb2.DatasetVersion(name="projects/p/datasets/d/versions/none at all", uid="f" * 32)
    scheduler.catalog.unprofiled.append(nameless)
    await profiled(scheduler.catalog, pushed(scheduler.catalog, 1))
    await profiled(scheduler.catalog, pushed(scheduler.catalog, 2))
    assert caplog.text.count("a dataset version can't be profiled") == 1


async def test_the_queue_is_never_full_of_them(
    settings: SchedulerSettings, dataset_catalog: DatasetCatalog, issuers: Issuers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(profiles, "MOST_WAITING", 3)
    versions = [pushed(dataset_catalog, number) for number in range(1, 9)]
    async with running_scheduler(settings, dataset_catalog, issuers) as scheduler, scheduler.worker() as worker:
        await profiled(dataset_catalog, *versions[:3])
        for done, _ in enumerate(versions):
            assert len(await listed(scheduler)) <= done + 3 + 1  # waiting, and the next one that runs
            await worker.complete((await worker.take()).attempt, Attempt.STATE_SUCCEEDED, model_version="")
        await profiled(dataset_catalog, *versions)


@pytest.mark.parametrize(
    ("fields", "path", "words"),
    [
        ({"dataset_version": ""}, "dataset_version", "profile needs the data to look at"),
        ({"dataset_version": f"{DATASET}/versions/9"}, "dataset_version", "does not exist"),
        ({"model": f"{PROJECT}/models/m"}, "model", "profile makes none"),
        ({"model_version": f"{PROJECT}/models/m/versions/3"}, "model_version", "takes no model version"),
        ({"output_dataset": f"{PROJECT}/datasets/e"}, "output_dataset", "makes no dataset version"),
        ({"devices": {"kind": device_pb2.DEVICE_KIND_GPU}}, "devices", "profile takes no device"),
        ({"devices": {"count": 2}}, "devices", "profile takes no device"),
        ({"parameters": {"x": 1}}, "parameters.x", "has no parameter 'x'"),
    ],
)
async def test_what_a_profile_has_no_use_for_is_refused(
    scheduler: Scheduler, fields: dict[str, object], path: str, words: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await scheduler.submit(**PROFILE | fields)
    failure = failure_of(caught.value)
    assert list(failure.fields) == [f"job.spec.{path}"]
    assert words in failure.message


async def test_people_may_ask_for_another_profile(scheduler: Scheduler) -> None:
    job = await scheduler.submit(**PROFILE, dataset_version=f"{DATASET}/versions/latest")
    assert (job.spec.dataset_version, job.spec.devices.count) == (VERSION, 0)
