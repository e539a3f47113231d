"""What a job stored beside its model goes when the job is deleted; what it made for others stays."""

import grpc
import pytest
from sqlalchemy import select

from modelyard.api.catalog.v1 import execution_pb2, file_service_pb2, lineage_service_pb2, model_pb2, model_service_pb2
from modelyard.catalog.adapters.schema import audit
from modelyard.catalog.domain.executions import MAX_OUTPUTS
from modelyard.foundation.rpc.status import failure_of, reason_of
from tests.support.catalog import PROJECT, Client, RunningCatalog

JOB = f"{PROJECT}/jobs/j"
MODEL = f"{PROJECT}/models/m"


@pytest.fixture
async def scheduler(catalog: RunningCatalog) -> Client:
    return await catalog.client("service", "*", "services/scheduler")


async def begun(catalog: RunningCatalog, scheduler: Client, job: str, *inputs: str) -> Client:
    """The first attempt of a job."""
    await scheduler.execute(job, 0, *inputs)
    one = await catalog.attempt(job, 1)
    await one.execute(job, 1)
    return one


@pytest.fixture
async def one(catalog: RunningCatalog, scheduler: Client, admin: Client) -> Client:
    return await begun(catalog, scheduler, JOB, await admin.pushed(f"{PROJECT}/datasets/d", {"x": b"x"}))


async def freed(scheduler: Client, job: str = JOB) -> None:
    await scheduler.lineage.DeleteJobFiles(lineage_service_pb2.DeleteJobFilesRequest(parent=job))


async def names(client: Client, job: str = JOB) -> list[str]:
    """Of all that the job has stored beside its model."""
    checkpoints = await client.lineage.ListCheckpoints(lineage_service_pb2.ListCheckpointsRequest(parent=job))
    outputs = await client.lineage.ListOutputs(lineage_service_pb2.ListOutputsRequest(parent=job))
    return [one.name for one in checkpoints.checkpoints] + [one.name for one in outputs.outputs]


async def test_checkpoints_and_outputs_go_and_the_model_with_its_lineage_stays(
    catalog: RunningCatalog, scheduler: Client, admin: Client, one: Client
) -> None:
    stored = [f"{JOB}/checkpoints/2", f"{JOB}/checkpoints/1", f"{JOB}/outputs/report", f"{JOB}/outputs/run"]
    for name in reversed(stored):
        await one.pushed(name, {"f": name.encode()})
    model = await one.pushed(MODEL, {"saved_model.pb": b"m"})
    other = f"{PROJECT}/jobs/j2"
    beside = await begun(catalog, scheduler, other, f"{PROJECT}/datasets/d/versions/1")
    await beside.pushed(f"{other}/outputs/run", {"f": f"{JOB}/outputs/run".encode()})
    await one.end(JOB, 1)
    assert await names(admin) == stored

    for _ in range(2):
        await freed(scheduler)

    assert await names(admin) == []
    for name in stored:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await admin.files.SignReads(file_service_pb2.SignReadsRequest(name=name))
        assert (caught.value.code(), failure_of(caught.value).resource) == (grpc.StatusCode.NOT_FOUND, name)
    assert await admin.read(model) == {"saved_model.pb": b"m"}
    assert await admin.read(f"{other}/outputs/run") == {"f": f"{JOB}/outputs/run".encode()}
    lineage = await admin.lineage.QueryLineage(lineage_service_pb2.QueryLineageRequest(name=model))
    (execution,) = [each for each in lineage.executions if each.consumer == JOB]
    assert [ref.name for ref in execution.outputs] == [model]
    assert not execution.HasField("last_checkpoint")
    query = select(audit.c.subject, audit.c.resource).where(audit.c.action == "DeleteJobFiles")
    rows = await catalog.database.read(lambda connection: connection.execute(query).all())
    assert [tuple(row) for row in rows] == [("services/scheduler", JOB)]


async def test_files_of_a_job_whose_execution_is_open_stay(scheduler: Client, admin: Client, one: Client) -> None:
    await one.pushed(f"{JOB}/checkpoints/1", {"w": b"w"})

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await freed(scheduler)

    failure = failure_of(caught.value)
    assert (failure.code, failure.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "EXECUTION_OPEN")
    assert failure.resource == JOB
    assert await names(admin) == [f"{JOB}/checkpoints/1"]
    await one.end(JOB, 1, execution_pb2.Execution.STATE_CANCELLED)
    await freed(scheduler)
    assert await names(admin) == []


async def test_a_job_that_the_catalog_never_saw_has_nothing_to_delete(scheduler: Client) -> None:
    await freed(scheduler, f"{PROJECT}/jobs/never")
    for parent, code in (
        ("projects/never/jobs/j", grpc.StatusCode.NOT_FOUND),
        (f"{PROJECT}/datasets/d", grpc.StatusCode.INVALID_ARGUMENT),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await freed(scheduler, parent)
        assert caught.value.code() is code


async def test_an_evaluation_outlives_its_job_and_the_report_it_names(
    catalog: RunningCatalog, scheduler: Client, admin: Client, one: Client
) -> None:
    model = await one.pushed(MODEL, {"saved_model.pb": b"m"})
    data, job = f"{PROJECT}/datasets/d/versions/1", f"{PROJECT}/jobs/judge"
    judge = await begun(catalog, scheduler, job, model, data)
    report = await judge.pushed(f"{job}/outputs/report", {"evaluation.json": b"{}"})
    evaluation = model_pb2.Evaluation(
        dataset_version=data, split="test", example_count=1, metrics={"accuracy": 1.0}, report=report
    )
    request = model_service_pb2.RecordEvaluationRequest(parent=model, evaluation=evaluation)
    recorded = await judge.models.RecordEvaluation(request)
    await judge.end(job, 1)

    await freed(scheduler, job)

    listed = await admin.models.ListEvaluations(model_service_pb2.ListEvaluationsRequest(parent=model))
    assert list(listed.evaluations) == [recorded]
    assert recorded.report == report
    assert await names(admin, job) == []


async def test_a_job_has_room_for_so_many_outputs_and_replaces_them_also_then(admin: Client, one: Client) -> None:
    for number in range(MAX_OUTPUTS - 1):
        await one.pushed(f"{JOB}/outputs/o{number}", {"x": b"x"})
    begun = []
    for name in ("last", "late"):
        upload, objects = await one.begin(f"{JOB}/outputs/{name}", {"x": name.encode()})
        await one.send(upload, objects)
        begun.append(upload)

    last, late = [await one.commit(upload.name) for upload in begun]

    assert last.version == f"{JOB}/outputs/last"
    assert late.error.details or late.error.message
    assert (
        f"{JOB} has {MAX_OUTPUTS} outputs, the most that a job may have, so late can't be added" in late.error.message
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await one.begin(f"{JOB}/outputs/more", {"x": b"x"})
    assert (caught.value.code(), reason_of(caught.value)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_OUTPUTS")
    assert failure_of(caught.value).facts["limit"] == str(MAX_OUTPUTS)
    await one.pushed(f"{JOB}/outputs/o7", {"x": b"another"})
    assert await admin.read(f"{JOB}/outputs/o7") == {"x": b"another"}
    assert len(await names(admin)) == MAX_OUTPUTS
