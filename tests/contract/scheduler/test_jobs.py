"""JobService, as its callers see it."""

import math

import grpc
import pytest

from modelyard.api.scheduler.v1 import device_pb2, job_pb2, job_service_pb2
from modelyard.foundation.rpc.status import failure_of
from tests.support.dataset_catalog import DATASET, PROJECT, VERSION
from tests.support.eventually import eventually
from tests.support.scheduling import Scheduler

State = job_pb2.Job.State


async def test_a_new_job_is_stored_complete_and_resolved(scheduler: Scheduler) -> None:
    job = await scheduler.submit(job_id="first", dataset_version=f"{DATASET}/versions/latest", parameters={"epochs": 3})
    assert (job.name, job.state, job.attempt) == (f"{PROJECT}/jobs/first", State.STATE_QUEUED, 0)
    assert (job.spec.dataset_version, job.spec.dataset_digest) == (VERSION, "sha256:1")
    assert job.spec.model == f"{PROJECT}/models/digits-image-classification"
    assert dict(job.spec.parameters)["epochs"] == 3
    assert dict(job.spec.parameters)["batch_size"] == 32
    assert (job.spec.max_attempts, job.spec.devices.count) == (3, 1)
    assert job.creator == "tokens/test"
    assert job.pending_reason == job_pb2.Job.PENDING_REASON_NO_MATCHING_WORKER
    assert "modelyard worker run" in job.pending_message
    assert scheduler.catalog.executions[job.name].state == 1
    assert await scheduler.job(job.name) == job


async def test_the_job_goes_through_its_states_to_a_model_version(scheduler: Scheduler) -> None:
    job = await scheduler.submit()
    async with scheduler.worker() as worker:
        assignment = await worker.take()
        assert (await scheduler.job(job.name)).state == State.STATE_PREPARING
        await worker.run(assignment.attempt, progress=job_pb2.Progress(stage="training", step=5, total_steps=10))
        running = await scheduler.job(job.name)
        assert (running.state, running.progress.step) == (State.STATE_RUNNING, 5)
        await worker.complete(assignment.attempt)
        await worker.complete(assignment.attempt)
    ended = await scheduler.job(job.name)
    assert ended.state == State.STATE_SUCCEEDED
    assert ended.model_version == f"{PROJECT}/models/digits-image-classification/versions/1"
    assert ended.progress.step == 5
    assert ended.HasField("start_time")
    assert ended.HasField("end_time")
    await eventually(lambda: scheduler.catalog.executions[job.name].state == 2)
    attempts = await scheduler.jobs.ListAttempts(job_service_pb2.ListAttemptsRequest(parent=job.name))
    assert [(one.state, one.worker) for one in attempts.attempts] == [(job_pb2.Attempt.STATE_SUCCEEDED, "workers/w")]


BAD = [
    ({"template": "image-clasification"}, "NOT_FOUND", "TEMPLATE_UNKNOWN", "job.spec.template"),
    ({"template": ""}, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "job.spec.template"),
    ({"parameters": {"epochs": 0}}, "INVALID_ARGUMENT", "PARAMETER_INVALID", "job.spec.parameters.epochs"),
    ({"parameters": {"epochs": 1.5}}, "INVALID_ARGUMENT", "PARAMETER_INVALID", "job.spec.parameters.epochs"),
    ({"parameters": {"epochs": "many"}}, "INVALID_ARGUMENT", "PARAMETER_INVALID", "job.spec.parameters.epochs"),
    ({"parameters": {"epochs": math.inf}}, "INVALID_ARGUMENT", "PARAMETER_INVALID", "job.spec.parameters.epochs"),
    ({"parameters": {"epochs": math.nan}}, "INVALID_ARGUMENT", "PARAMETER_INVALID", "job.spec.parameters.epochs"),
    ({"parameters": {"epoch": 1}}, "INVALID_ARGUMENT", "PARAMETER_INVALID", "job.spec.parameters.epoch"),
    ({"parameters": {"epochs": [1]}}, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "job.spec.parameters.epochs"),
    ({"dataset_version": f"{DATASET}/versions/9"}, "NOT_FOUND", "NOT_FOUND", "job.spec.dataset_version"),
    ({"dataset_version": "digits"}, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "job.spec.dataset_version"),
    (
        {"dataset_version": "projects/other/datasets/d/versions/1"},
        "INVALID_ARGUMENT",
        "INVALID_ARGUMENT",
        "job.spec.dataset_version",
    ),
    ({"model": "m"}, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "job.spec.model"),
    ({"model": "projects/other/models/m"}, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "job.spec.model"),
    ({"priority": 1001}, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "job.spec.priority"),
    ({"max_attempts": -1}, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "job.spec.max_attempts"),
    (
        {"devices": device_pb2.DeviceRequest(count=-1)},
        "INVALID_ARGUMENT",
        "INVALID_ARGUMENT",
        "job.spec.devices.count",
    ),
    (
        {"devices": device_pb2.DeviceRequest(kind=9)},  # type: ignore[arg-type]
        "INVALID_ARGUMENT",
        "INVALID_ARGUMENT",
        "job.spec.devices.kind",
    ),
    ({"max_runtime": {"seconds": -1}}, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "job.spec.max_runtime"),
    ({"job_id": "Not An ID"}, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "job_id"),
]


@pytest.mark.parametrize(("fields", "code", "reason", "path"), BAD, ids=[str(one[0])[:60] for one in BAD])
@pytest.mark.parametrize("validate_only", [False, True])
async def test_what_is_wrong_is_said_with_its_field_and_nothing_is_created(
    scheduler: Scheduler, fields: dict[str, object], code: str, reason: str, path: str, validate_only: bool
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await scheduler.submit(validate_only=validate_only, **fields)
    failure = failure_of(caught.value)
    assert (failure.code.name, failure.reason, list(failure.fields)) == (code, reason, [path])
    assert not (await scheduler.jobs.ListJobs(job_service_pb2.ListJobsRequest(parent=PROJECT))).jobs
    assert not scheduler.catalog.executions


async def test_an_unknown_template_comes_with_the_nearest_name(scheduler: Scheduler) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await scheduler.submit(template="image-clasification")
    assert failure_of(caught.value).facts["did_you_mean"] == "image-classification"


async def test_a_dataset_of_another_modality_does_not_fit(scheduler: Scheduler) -> None:
    scheduler.catalog.modality = "text"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await scheduler.submit()
    failure = failure_of(caught.value)
    assert (failure.code, failure.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "DATASET_DOES_NOT_FIT")
    assert list(failure.fields) == ["job.spec.dataset_version"]


async def test_validate_only_answers_the_job_and_creates_none(scheduler: Scheduler) -> None:
    job = await scheduler.submit(validate_only=True, job_id="try")
    assert (job.name, job.uid) == (f"{PROJECT}/jobs/try", "")
    assert dict(job.spec.parameters)["epochs"] == 10
    assert not scheduler.catalog.executions
    await scheduler.submit(job_id="try")


async def test_the_same_request_again_gets_the_same_job(scheduler: Scheduler) -> None:
    first = await scheduler.submit(request_id="r-1")
    again = await scheduler.submit(request_id="r-1")
    assert (again.name, again.uid) == (first.name, first.uid)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await scheduler.submit(request_id="r-1", priority=1)
    assert failure_of(caught.value).reason == "REQUEST_ID_REUSED"


async def test_a_name_is_taken_once_and_for_all(scheduler: Scheduler) -> None:
    job = await scheduler.submit(job_id="taken")
    await scheduler.jobs.CancelJob(job_service_pb2.CancelJobRequest(name=job.name))
    for deleted in (False, True):
        if deleted:
            await scheduler.jobs.DeleteJob(job_service_pb2.DeleteJobRequest(name=job.name))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await scheduler.submit(job_id="taken")
        assert caught.value.code() is grpc.StatusCode.ALREADY_EXISTS
        assert failure_of(caught.value).reason == "JOB_EXISTS"


async def test_a_refusal_of_the_catalog_leaves_nothing(scheduler: Scheduler) -> None:
    scheduler.catalog.refuse = [grpc.StatusCode.NOT_FOUND]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await scheduler.submit(job_id="again", request_id="r-2")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert (await scheduler.submit(job_id="again", request_id="r-2")).state == State.STATE_QUEUED


async def test_a_retry_finishes_what_an_unreachable_catalog_left(scheduler: Scheduler) -> None:
    scheduler.catalog.refuse = [grpc.StatusCode.INTERNAL]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await scheduler.submit(job_id="again", request_id="r-3")
    failure = failure_of(caught.value)
    assert failure.code is grpc.StatusCode.UNAVAILABLE
    assert failure.retry_after_s
    assert not (await scheduler.jobs.ListJobs(job_service_pb2.ListJobsRequest(parent=PROJECT))).jobs
    assert (await scheduler.submit(job_id="again", request_id="r-3")).state == State.STATE_QUEUED


async def test_lists_come_newest_first_in_pages(scheduler: Scheduler) -> None:
    names = [(await scheduler.submit(job_id=f"j{number}")).name for number in range(5)]
    seen: list[str] = []
    token = ""
    while True:
        request = job_service_pb2.ListJobsRequest(parent=PROJECT, page_size=2, page_token=token)
        page = await scheduler.jobs.ListJobs(request)
        seen += [job.name for job in page.jobs]
        token = page.next_page_token
        if not token:
            break
    assert seen == names[::-1]


@pytest.mark.parametrize("fields", [{"page_size": -1}, {"page_token": "forged"}, {"states": [99]}])
async def test_a_bad_page_is_refused(scheduler: Scheduler, fields: dict[str, object]) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await scheduler.jobs.ListJobs(job_service_pb2.ListJobsRequest(parent=PROJECT, **fields))  # type: ignore[arg-type]
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_lists_can_be_of_some_states_only(scheduler: Scheduler) -> None:
    first, second = await scheduler.submit(), await scheduler.submit()
    await scheduler.jobs.CancelJob(job_service_pb2.CancelJobRequest(name=first.name))
    request = job_service_pb2.ListJobsRequest(parent=PROJECT, states=[State.STATE_QUEUED, State.STATE_RUNNING])
    assert [job.name for job in (await scheduler.jobs.ListJobs(request)).jobs] == [second.name]


async def test_a_job_that_ended_cannot_be_cancelled_but_a_cancelled_one_stays_so(scheduler: Scheduler) -> None:
    job = await scheduler.submit()
    async with scheduler.worker() as worker:
        assignment = await worker.take()
        await worker.complete(assignment.attempt)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await scheduler.jobs.CancelJob(job_service_pb2.CancelJobRequest(name=job.name))
    assert failure_of(caught.value).reason == "JOB_ENDED"
    other = await scheduler.submit(devices=device_pb2.DeviceRequest(kind=device_pb2.DEVICE_KIND_TPU))
    for _ in range(2):
        cancelled = await scheduler.jobs.CancelJob(job_service_pb2.CancelJobRequest(name=other.name))
        assert cancelled.state == State.STATE_CANCELLED


async def test_only_a_job_that_ended_can_be_deleted(scheduler: Scheduler) -> None:
    job = await scheduler.submit()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await scheduler.jobs.DeleteJob(job_service_pb2.DeleteJobRequest(name=job.name))
    assert failure_of(caught.value).reason == "JOB_NOT_ENDED"
    await scheduler.jobs.CancelJob(job_service_pb2.CancelJobRequest(name=job.name))
    await scheduler.jobs.DeleteJob(job_service_pb2.DeleteJobRequest(name=job.name))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await scheduler.job(job.name)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_templates_are_read_from_their_folders(scheduler: Scheduler) -> None:
    answer = await scheduler.jobs.ListTemplates(job_service_pb2.ListTemplatesRequest())
    template = next(one for one in answer.templates if one.name == "templates/image-classification")
    assert template.modality == "image"
    epochs = next(one for one in template.parameters if one.name == "epochs")
    assert (epochs.default_value.number_value, epochs.minimum, epochs.maximum) == (10, 1, 10000)
