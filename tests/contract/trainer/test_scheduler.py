"""The worker's half of the conversation, with a real scheduler at the other end."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from modelyard.api.scheduler.v1 import job_pb2
from modelyard.foundation.config import SqlSettings
from modelyard.foundation.errors import Kind, ModelyardError
from modelyard.trainer.adapters.scheduler import Scheduler as Dialled
from modelyard.trainer.domain import AttemptStopped, Device, Failed, FailureClass, Found, Progress, Stopped, Succeeded
from modelyard.trainer.orders import Assignment, Seen
from modelyard.trainer.reporter import LogLine, Point, Report, Unavailable
from tests.support.dataset_catalog import MODEL_VERSION, running_dataset_catalog
from tests.support.scheduling import Scheduler, running_scheduler, scheduler_settings, templates_of_every_kind
from tests.support.servers import Issuers

FOUND = Found((Device("cpu", 0), Device("gpu", 0, problem="no CUDA")), "2.21.0")
Class = job_pb2.Job.FailureClass


class Yard:
    """A scheduler, and as many workers as a test dials."""

    def __init__(self, scheduler: Scheduler, stack: AsyncExitStack) -> None:
        self.scheduler = scheduler
        self._stack = stack

    async def dial(self, name: str = "w", instance: str = "1", token_of: str = "w") -> Dialled:
        served = self.scheduler.served
        token = served.issuers.token("worker", subject=f"workers/{token_of}")
        channel = await self._stack.enter_async_context(served.channel(token))
        return Dialled(channel, name, instance, "host", "0.1.0")

    async def orders(self, worker: Dialled, **spec: Any) -> tuple[Assignment, ...]:
        """What the worker is told to run once this job was submitted."""
        await worker.sync(FOUND, [], draining=False, wait=False)
        await self.scheduler.submit(**spec)
        while not (orders := await worker.sync(FOUND, [], draining=False, wait=True)).assignments:
            continue
        return orders.assignments

    async def assigned(self, worker: Dialled) -> str:
        """An attempt that the worker has taken."""
        await worker.sync(FOUND, [], draining=False, wait=False)
        await self.scheduler.submit()
        while not (orders := await worker.sync(FOUND, [], draining=False, wait=True)).assignments:
            continue
        (assignment,) = orders.assignments
        await worker.sync(FOUND, [Seen(assignment.attempt, False)], draining=False, wait=False)
        return assignment.attempt


@pytest.fixture
async def yard(tmp_path: Path, issuers: Issuers) -> AsyncIterator[Yard]:
    async with running_dataset_catalog(tmp_path) as catalog, AsyncExitStack() as stack:
        sql = SqlSettings(url=SecretStr(f"sqlite:///{tmp_path}/scheduler.sqlite"))
        templates = templates_of_every_kind(tmp_path / "templates")
        settings = scheduler_settings(tmp_path, sql, catalog.target, issuers, templates=templates)
        scheduler = await stack.enter_async_context(running_scheduler(settings, catalog, issuers))
        yield Yard(scheduler, stack)


async def test_an_assignment_arrives_with_all_that_the_attempt_needs(yard: Yard) -> None:
    worker = await yard.dial()
    await worker.sync(FOUND, [], draining=False, wait=False)
    await yard.scheduler.submit(parameters={"epochs": 3})
    while not (orders := await worker.sync(FOUND, [], draining=False, wait=True)).assignments:
        continue
    (assignment,) = orders.assignments
    assert assignment.template == "image-classification"
    assert assignment.parameters["epochs"] == 3
    assert assignment.dataset_version.endswith("/versions/1")
    assert assignment.devices == (Device("cpu", 0),)
    assert assignment.token
    assert orders.lease_s == 20


async def test_a_packages_job_arrives_with_its_digest_and_where_its_code_begins(yard: Yard) -> None:
    worker = await yard.dial()
    version = yard.scheduler.catalog.add_package()
    (assignment,) = await yard.orders(worker, template="", package_version=version, max_runtime={"seconds": 60})
    assert (assignment.template, assignment.package_version, assignment.package_digest) == ("", version, "sha256:2")
    assert assignment.entry == "train"
    assert assignment.max_runtime_s == 60


async def test_an_evaluation_arrives_with_its_model_and_ends_with_its_own_name(yard: Yard) -> None:
    worker = await yard.dial()
    (assignment,) = await yard.orders(worker, template="evaluate", model_version=MODEL_VERSION)
    assert (assignment.model_version, assignment.model_digest) == (MODEL_VERSION, "sha256:3")
    assert assignment.model == ""
    job = assignment.attempt.rpartition("/attempts/")[0]
    evaluation = f"{MODEL_VERSION}/evaluations/{job.rpartition('/')[2]}"
    await worker.sync(FOUND, [Seen(assignment.attempt, False)], draining=False, wait=False)
    await worker.complete(assignment.attempt, Succeeded(evaluation=evaluation))
    ended = await yard.scheduler.job(job)
    assert (ended.state, ended.evaluation) == (job_pb2.Job.STATE_SUCCEEDED, evaluation)


async def test_a_prediction_arrives_with_its_dataset_and_ends_with_the_version_that_it_made(yard: Yard) -> None:
    worker = await yard.dial()
    answers = "projects/p/datasets/answers"
    (assignment,) = await yard.orders(worker, template="predict", model_version=MODEL_VERSION, output_dataset=answers)
    assert (assignment.output_dataset, assignment.model) == (answers, "")
    await worker.sync(FOUND, [Seen(assignment.attempt, False)], draining=False, wait=False)
    await worker.complete(assignment.attempt, Succeeded(output_dataset_version=f"{answers}/versions/1"))
    ended = await yard.scheduler.job(assignment.attempt.rpartition("/attempts/")[0])
    assert (ended.state, ended.output_dataset_version) == (job_pb2.Job.STATE_SUCCEEDED, f"{answers}/versions/1")


async def test_a_profile_arrives_without_a_device_and_ends_with_nothing_to_say(yard: Yard) -> None:
    worker = await yard.dial()
    (assignment,) = await yard.orders(worker, template="profile")
    assert (assignment.template, assignment.devices) == ("profile", ())
    await worker.sync(FOUND, [Seen(assignment.attempt, False)], draining=False, wait=False)
    await worker.complete(assignment.attempt, Succeeded())
    ended = await yard.scheduler.job(assignment.attempt.rpartition("/attempts/")[0])
    assert ended.state == job_pb2.Job.STATE_SUCCEEDED


async def test_an_import_arrives_with_its_files(yard: Yard) -> None:
    worker = await yard.dial()
    version = yard.scheduler.catalog.add_package()
    (assignment,) = await yard.orders(worker, template="import-model", dataset_version="", source_version=version)
    assert (assignment.source_version, assignment.source_digest) == (version, "sha256:2")
    assert assignment.dataset_version == ""


async def test_reports_and_outcomes_reach_the_job(yard: Yard) -> None:
    worker = await yard.dial()
    attempt = await yard.assigned(worker)
    lines, points = (LogLine(1e9, "hello"),), (Point(1e9, 7, "loss", float("nan")),)
    progress = Progress(stage="training", step=7, texts={"note": "hello"}, images={"picture": "images/picture/7.png"})
    await worker.report(Report(attempt, 1, lines, points, progress, True, 0))
    await worker.complete(attempt, Failed(FailureClass.DIVERGED, "the loss became nan", "x" * 1_000_000))
    job = await yard.scheduler.job(attempt.rpartition("/attempts/")[0])
    assert (job.state, job.failure_class) == (job_pb2.Job.STATE_FAILED, Class.FAILURE_CLASS_DIVERGED)
    assert job.progress.step == 7
    assert dict(job.progress.texts) == {"note": "hello"}
    assert dict(job.progress.images) == {"picture": "images/picture/7.png"}


@pytest.mark.parametrize("kind", list(FailureClass))
async def test_the_scheduler_knows_every_word_for_a_failure(yard: Yard, kind: FailureClass) -> None:
    worker = await yard.dial()
    attempt = await yard.assigned(worker)
    await worker.complete(attempt, Failed(kind, "why"))


async def test_an_attempt_that_is_over_is_told_apart_from_a_scheduler_that_is_away(yard: Yard) -> None:
    worker = await yard.dial()
    attempt = await yard.assigned(worker)
    await worker.complete(attempt, Stopped())
    with pytest.raises(AttemptStopped):
        await worker.complete(attempt, Succeeded("projects/p/models/digits-image-classification/versions/1"))
    with pytest.raises(AttemptStopped):
        await worker.report(Report(attempt, 1, (), (), Progress(), True, 0))
    await yard.scheduler.process.server.stop(0)
    with pytest.raises(Unavailable):
        await worker.sync(FOUND, [], draining=False, wait=False)
    with pytest.raises(Unavailable):
        await worker.complete(attempt, Stopped())


async def test_an_outcome_that_makes_no_sense_is_refused_by_name(yard: Yard) -> None:
    worker = await yard.dial()
    attempt = await yard.assigned(worker)
    with pytest.raises(ModelyardError, match="model_version") as caught:
        await worker.complete(attempt, Succeeded("projects/p/models/other/versions/1"))
    assert caught.value.kind is Kind.INVALID


async def test_an_older_process_of_the_same_name_hears_that_it_was_replaced(yard: Yard) -> None:
    old, new = await yard.dial(instance="1"), await yard.dial(instance="2")
    await old.sync(FOUND, [], draining=False, wait=False)
    await new.sync(FOUND, [], draining=False, wait=False)
    with pytest.raises(ModelyardError, match="must stop") as caught:
        await old.sync(FOUND, [], draining=False, wait=False)
    assert caught.value.reason == "WORKER_REPLACED"


async def test_a_token_of_another_worker_is_refused_with_a_sentence(yard: Yard) -> None:
    worker = await yard.dial(token_of="other")
    with pytest.raises(ModelyardError, match="this token is of 'workers/other'") as caught:
        await worker.sync(FOUND, [], draining=False, wait=False)
    assert caught.value.kind is Kind.DENIED
