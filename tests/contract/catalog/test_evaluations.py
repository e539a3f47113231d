"""How a model version did on a dataset version: recorded by the job that measured it."""

import math
from typing import Any

import grpc
import pytest

from modelyard.api.catalog.v1 import (
    dataset_service_pb2,
    execution_pb2,
    lineage_service_pb2,
    model_pb2,
    model_service_pb2,
)
from modelyard.foundation.rpc.status import failure_of, reason_of
from tests.support.catalog import PROJECT, Client, RunningCatalog

DIGITS = f"{PROJECT}/datasets/digits"
MODEL = f"{PROJECT}/models/m"
JUDGED = f"{PROJECT}/jobs/judge"
REPORT = f"{JUDGED}/outputs/report"
SUCCEEDED = execution_pb2.Execution.STATE_SUCCEEDED


async def failed(call: object) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    return caught.value


def measured(dataset_version: str, **changes: Any) -> model_pb2.Evaluation:
    fields: dict[str, Any] = {"split": "test", "example_count": 100, "metrics": {"accuracy": 0.9}}
    return model_pb2.Evaluation(dataset_version=dataset_version, **{**fields, **changes})


async def record(client: Client, model: str, evaluation: model_pb2.Evaluation) -> model_pb2.Evaluation:
    request = model_service_pb2.RecordEvaluationRequest(parent=model, evaluation=evaluation)
    return await client.models.RecordEvaluation(request)


async def listed(client: Client, model: str, **request: Any) -> model_service_pb2.ListEvaluationsResponse:
    return await client.models.ListEvaluations(model_service_pb2.ListEvaluationsRequest(parent=model, **request))


@pytest.fixture
async def scheduler(catalog: RunningCatalog) -> Client:
    return await catalog.client("service", "*", "services/scheduler")


@pytest.fixture
async def dataset(admin: Client) -> str:
    return await admin.pushed(DIGITS, {"x": b"x"})


@pytest.fixture
async def model(catalog: RunningCatalog, scheduler: Client, dataset: str) -> str:
    """A version that a training job made."""
    job = f"{PROJECT}/jobs/train"
    await scheduler.execute(job, 0, dataset)
    one = await catalog.attempt(job, 1)
    await one.execute(job, 1)
    version = await one.pushed(MODEL, {"saved_model.pb": b"graph"})
    await one.end(job, 1)
    return version


async def judging(catalog: RunningCatalog, scheduler: Client, job: str, *inputs: str, attempt: int = 1) -> Client:
    """The attempt of a job that evaluates."""
    await scheduler.execute(job, 0, *inputs)
    client = await catalog.attempt(job, attempt)
    await client.execute(job, attempt)
    return client


@pytest.fixture
async def judge(catalog: RunningCatalog, scheduler: Client, model: str, dataset: str) -> Client:
    return await judging(catalog, scheduler, JUDGED, model, dataset)


async def test_an_evaluation_is_recorded_with_the_version(
    catalog: RunningCatalog, judge: Client, admin: Client, model: str, dataset: str
) -> None:
    await judge.pushed(REPORT, {"evaluation.json": b"{}"})

    recorded = await record(judge, model, measured(dataset, report=REPORT))

    assert recorded.name == f"{model}/evaluations/judge"
    assert (recorded.dataset_version, recorded.split, recorded.example_count) == (dataset, "test", 100)
    assert (dict(recorded.metrics), recorded.report) == ({"accuracy": 0.9}, REPORT)
    assert (recorded.creator, recorded.dataset_digest[:7]) == (f"{JUDGED}/attempts/1", "sha256:")
    assert recorded.HasField("create_time")
    viewer = await catalog.client("viewer", "default", "users/ben")
    assert list((await listed(viewer, f"{MODEL}/versions/latest")).evaluations) == [recorded]
    found = await admin.lineage.QueryLineage(lineage_service_pb2.QueryLineageRequest(name=model))
    assert [execution.consumer for execution in found.executions] == [f"{PROJECT}/jobs/train", JUDGED]
    assert [ref.name for ref in found.executions[1].inputs] == [model, dataset]


async def test_the_same_call_again_gets_the_same_answer_also_from_a_later_attempt_and_after_the_end(
    catalog: RunningCatalog, judge: Client, admin: Client, model: str, dataset: str
) -> None:
    first = await record(judge, model, measured(dataset))
    assert await record(judge, model, measured(dataset)) == first
    two = await catalog.attempt(JUDGED, 2)
    await two.execute(JUDGED, 2)
    assert await record(two, model, measured(dataset, metrics={"accuracy": 0.91})) == first
    await two.end(JUDGED, 2)
    assert await record(two, model, measured(dataset)) == first
    assert len((await listed(admin, model)).evaluations) == 1


async def test_evaluations_are_newest_first_page_by_page_and_by_dataset(
    catalog: RunningCatalog, scheduler: Client, admin: Client, model: str, dataset: str
) -> None:
    other = await admin.pushed(DIGITS, {"x": b"other"})
    for number, data in enumerate((dataset, other, dataset)):
        job = f"{PROJECT}/jobs/judge{number}"
        client = await judging(catalog, scheduler, job, model, data)
        await record(client, model, measured(data, metrics={"accuracy": number / 10}))
        await client.end(job, 1)

    first = await listed(admin, model, page_size=2)
    rest = await listed(admin, model, page_size=2, page_token=first.next_page_token)

    names = [evaluation.name.rpartition("/")[2] for evaluation in [*first.evaluations, *rest.evaluations]]
    assert (names, rest.next_page_token) == (["judge2", "judge1", "judge0"], "")
    for wanted, jobs in ((dataset, ["judge2", "judge0"]), (f"{DIGITS}/versions/latest", ["judge1"])):
        found = await listed(admin, model, dataset_version=wanted)
        assert [evaluation.name.rpartition("/")[2] for evaluation in found.evaluations] == jobs
    moved = await failed(listed(admin, model, page_token=first.next_page_token, dataset_version=dataset))
    assert moved.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_an_evaluation_outlives_its_dataset_and_dies_with_its_model(
    judge: Client, admin: Client, model: str, dataset: str
) -> None:
    await record(judge, model, measured(dataset))
    for delete in (
        admin.models.DeleteModelVersion(model_service_pb2.DeleteModelVersionRequest(name=model)),
        admin.datasets.DeleteDatasetVersion(dataset_service_pb2.DeleteDatasetVersionRequest(name=dataset)),
    ):
        assert reason_of(await failed(delete)) == "STILL_NEEDED"
    await judge.end(JUDGED, 1)
    await admin.datasets.DeleteDataset(dataset_service_pb2.DeleteDatasetRequest(name=DIGITS))
    namesake = await admin.pushed(DIGITS, {"x": b"another set of this name"})

    assert not (await listed(admin, model, dataset_version=namesake)).evaluations
    assert len((await listed(admin, model, dataset_version=dataset)).evaluations) == 1
    await admin.datasets.DeleteDataset(dataset_service_pb2.DeleteDatasetRequest(name=DIGITS))
    assert len((await listed(admin, model, dataset_version=dataset)).evaluations) == 1
    await admin.models.DeleteModelVersion(model_service_pb2.DeleteModelVersionRequest(name=model))
    assert (await failed(listed(admin, model))).code() is grpc.StatusCode.NOT_FOUND


async def test_a_model_goes_with_its_evaluations(judge: Client, admin: Client, model: str, dataset: str) -> None:
    await record(judge, model, measured(dataset))
    await judge.end(JUDGED, 1)

    await admin.models.DeleteModel(model_service_pb2.DeleteModelRequest(name=MODEL))

    assert (await failed(listed(admin, model))).code() is grpc.StatusCode.NOT_FOUND


async def test_only_the_attempt_that_measured_records(
    catalog: RunningCatalog, scheduler: Client, judge: Client, admin: Client, model: str, dataset: str
) -> None:
    error = await failed(record(admin, model, measured(dataset)))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.PERMISSION_DENIED, "ONLY_ATTEMPTS")
    two = await catalog.attempt(JUDGED, 2)
    error = await failed(record(two, model, measured(dataset)))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.FAILED_PRECONDITION, "EXECUTION_ENDED")  # not begun
    await two.execute(JUDGED, 2)
    error = await failed(record(judge, model, measured(dataset)))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.ABORTED, "STALE_ATTEMPT")
    never = await catalog.attempt(f"{PROJECT}/jobs/never", 1)
    error = await failed(record(never, model, measured(dataset)))
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.FAILED_PRECONDITION, "EXECUTION_ENDED")


async def test_a_job_measures_only_what_it_was_given(
    catalog: RunningCatalog, scheduler: Client, admin: Client, model: str, dataset: str
) -> None:
    other = await admin.pushed(f"{PROJECT}/datasets/other", {"o": b"o"})
    blind = await judging(catalog, scheduler, f"{PROJECT}/jobs/blind", dataset)
    judge = await judging(catalog, scheduler, JUDGED, model, dataset)
    for client, data, field in (
        (blind, dataset, "parent"),
        (judge, other, "evaluation.dataset_version"),
    ):
        failure = failure_of(await failed(record(client, model, measured(data))))
        assert (failure.code, failure.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NOT_AN_INPUT")
        assert list(failure.fields) == [field]
    missing = failure_of(await failed(record(judge, f"{MODEL}/versions/9", measured(dataset))))
    assert (missing.code, missing.resource) == (grpc.StatusCode.NOT_FOUND, f"{MODEL}/versions/9")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"dataset_version": ""}, "dataset_version"),
        ({"dataset_version": f"{MODEL}/versions/1"}, "dataset_version"),
        ({"dataset_version": f"{DIGITS}/versions/latest"}, "dataset_version"),
        ({"dataset_version": "projects/other/datasets/d/versions/1"}, "dataset_version"),
        ({"split": ""}, "split"),
        ({"split": "s" * 64}, "split"),
        ({"split": "a\nb"}, "split"),
        ({"example_count": 0}, "example_count"),
        ({"example_count": -1}, "example_count"),
        ({"metrics": {}}, "metrics"),
        ({"metrics": {"accuracy": math.nan}}, "metrics"),
        ({"metrics": {"accuracy": math.inf}}, "metrics"),
        ({"metrics": {"": 1.0}}, "metrics"),
        ({"metrics": {"x" * 2001: 1.0}}, "metrics"),
        ({"metrics": {f"m{n}": 1.0 for n in range(257)}}, "metrics"),
        ({"report": "report"}, "report"),
        ({"report": f"{PROJECT}/jobs/train/outputs/report"}, "report"),
        ({"report": f"{JUDGED}/checkpoints/1"}, "report"),
    ],
)
async def test_what_is_no_evaluation_is_refused_with_its_field(
    judge: Client, admin: Client, model: str, dataset: str, changes: dict[str, Any], field: str
) -> None:
    evaluation = measured(**{"dataset_version": dataset, **changes})

    failure = failure_of(await failed(record(judge, model, evaluation)))

    assert (failure.code, list(failure.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, [f"evaluation.{field}"])
    assert not (await listed(admin, model)).evaluations


async def test_a_report_that_is_not_there_is_refused(judge: Client, model: str, dataset: str) -> None:
    failure = failure_of(await failed(record(judge, model, measured(dataset, report=REPORT))))

    assert (failure.code, failure.resource) == (grpc.StatusCode.NOT_FOUND, REPORT)


@pytest.mark.parametrize("parent", [MODEL, f"{MODEL}/versions/latest", f"{DIGITS}/versions/1", f"{MODEL}/versions/0"])
async def test_the_model_version_is_named_by_its_number(judge: Client, dataset: str, parent: str) -> None:
    failure = failure_of(await failed(record(judge, parent, measured(dataset))))

    assert (failure.code, list(failure.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, ["parent"])


@pytest.mark.parametrize(
    ("request_", "code", "field"),
    [
        ({"dataset_version": "x"}, grpc.StatusCode.INVALID_ARGUMENT, "dataset_version"),
        ({"dataset_version": f"{MODEL}/versions/1"}, grpc.StatusCode.INVALID_ARGUMENT, "dataset_version"),
        ({"dataset_version": "projects/o/datasets/d/versions/1"}, grpc.StatusCode.INVALID_ARGUMENT, "dataset_version"),
        ({"dataset_version": f"{DIGITS}/versions/nope"}, grpc.StatusCode.NOT_FOUND, "dataset_version"),
        ({"page_size": -1}, grpc.StatusCode.INVALID_ARGUMENT, "page_size"),
        ({"page_token": "forged"}, grpc.StatusCode.INVALID_ARGUMENT, "page_token"),
    ],
)
async def test_a_wrong_question_is_refused_with_its_field(
    admin: Client, model: str, request_: dict[str, Any], code: grpc.StatusCode, field: str
) -> None:
    failure = failure_of(await failed(listed(admin, model, **request_)))

    assert (failure.code, list(failure.fields)) == (code, [field])
