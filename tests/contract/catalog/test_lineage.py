"""Executions hold what they use, fence off older attempts, and leave lineage behind."""

import grpc
import pytest

from modelyard.api.catalog.v1 import (
    dataset_service_pb2,
    execution_pb2,
    file_service_pb2,
    lineage_service_pb2,
    model_pb2,
    model_service_pb2,
    project_service_pb2,
    upload_pb2,
    upload_service_pb2,
)
from modelyard.foundation.rpc.status import failure_of, reason_of
from tests.support.catalog import PROJECT, Client, RunningCatalog

DIGITS = f"{PROJECT}/datasets/digits"
JOB = f"{PROJECT}/jobs/j1"
MODEL = f"{PROJECT}/models/m"
SAVED = {"saved_model.pb": b"graph", "variables/data": b"weights"}
STATE = execution_pb2.Execution
COMMITTED = upload_pb2.Upload.STATE_COMMITTED


@pytest.fixture
async def scheduler(catalog: RunningCatalog) -> Client:
    return await catalog.client("service", "*", "services/scheduler")


@pytest.fixture
async def version(admin: Client) -> str:
    return await admin.pushed(DIGITS, {"x": b"x"})


async def refused(call: object, reason: str) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    assert reason_of(caught.value) == reason
    return caught.value.code()


async def test_an_alias_is_resolved_once(admin: Client, scheduler: Client, version: str) -> None:
    begun = await scheduler.execute(JOB, 0, f"{DIGITS}/versions/latest")
    await admin.pushed(DIGITS, {"x": b"newer"})

    again = await scheduler.execute(JOB, 0, f"{DIGITS}/versions/latest")

    assert [ref.name for ref in begun.inputs] == [version]
    assert again == begun


async def test_lineage_of_an_alias_that_is_not_there_is_not_that_of_another_version(
    admin: Client, scheduler: Client, version: str
) -> None:
    async def consumers(reference: str) -> set[str]:
        query = lineage_service_pb2.QueryLineageRequest(name=f"{DIGITS}/versions/{reference}")
        return {each.consumer for each in (await admin.lineage.QueryLineage(query)).executions}

    await scheduler.execute(JOB, 0, version)
    assert await consumers("latest") == await consumers("1") == {JOB}
    assert await refused(consumers("goood"), "NOT_FOUND") is grpc.StatusCode.NOT_FOUND


async def test_a_held_version_cannot_be_deleted_and_says_who_holds_it(
    admin: Client, scheduler: Client, version: str
) -> None:
    await scheduler.execute(JOB, 0, version)
    delete = dataset_service_pb2.DeleteDatasetVersionRequest(name=version)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await admin.datasets.DeleteDatasetVersion(delete)

    failure = failure_of(caught.value)
    assert (failure.code, failure.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "STILL_NEEDED")
    assert JOB in failure.facts["holders"]
    assert JOB in failure.message
    await refused(admin.datasets.DeleteDataset(dataset_service_pb2.DeleteDatasetRequest(name=DIGITS)), "STILL_NEEDED")
    await refused(admin.projects.DeleteProject(project_service_pb2.DeleteProjectRequest(name=PROJECT)), "STILL_NEEDED")
    await scheduler.end(JOB, 0)
    await admin.datasets.DeleteDatasetVersion(delete)


async def test_a_newer_attempt_shuts_out_the_older_one(
    catalog: RunningCatalog, scheduler: Client, version: str
) -> None:
    await scheduler.execute(JOB, 0, version)
    one, two = await catalog.attempt(JOB, 1), await catalog.attempt(JOB, 2)
    await one.execute(JOB, 1)
    upload, objects = await one.begin(f"{JOB}/checkpoints/10", {"w": b"1"})
    await one.send(upload, objects)

    await two.execute(JOB, 2)

    code = await refused(one.commit(upload.name), "STALE_ATTEMPT")
    assert code is grpc.StatusCode.ABORTED
    await refused(one.begin(f"{JOB}/checkpoints/20", {"w": b"2"}), "STALE_ATTEMPT")
    await refused(one.execute(JOB, 1), "STALE_ATTEMPT")
    await refused(one.end(JOB, 1), "STALE_ATTEMPT")


async def test_an_attempt_speaks_for_itself_only(catalog: RunningCatalog, scheduler: Client, version: str) -> None:
    await scheduler.execute(JOB, 0, version)
    one, other = await catalog.attempt(JOB, 1), await catalog.attempt(f"{PROJECT}/jobs/j2", 1)
    await refused(one.begin(MODEL, SAVED), "EXECUTION_ENDED")  # not begun
    await one.execute(JOB, 1)

    await refused(one.execute(JOB, 2), "PERMISSION_DENIED")
    await refused(other.execute(JOB, 1), "PERMISSION_DENIED")
    await refused(scheduler.execute(JOB, 3), "PERMISSION_DENIED")
    await refused(other.begin(f"{JOB}/checkpoints/1", SAVED), "ONLY_ATTEMPTS")
    await refused(one.begin(DIGITS, SAVED), "PERMISSION_DENIED")
    await refused(one.execute(JOB, 1, f"{DIGITS}/versions/latest"), "INVALID_ARGUMENT")  # inputs are fixed


async def test_the_newest_checkpoints_are_kept_and_handed_to_the_next_attempt(
    catalog: RunningCatalog, admin: Client, scheduler: Client, version: str
) -> None:
    await scheduler.execute(JOB, 0, version)
    one = await catalog.attempt(JOB, 1)
    await one.execute(JOB, 1)
    for step in (10, 20, 30):
        upload = await one.push(f"{JOB}/checkpoints/{step}", {"w": str(step).encode()})
        assert (upload.state, upload.version) == (COMMITTED, f"{JOB}/checkpoints/{step}")

    two = await catalog.attempt(JOB, 2)
    begun = await two.execute(JOB, 2)

    listed = await admin.lineage.ListCheckpoints(lineage_service_pb2.ListCheckpointsRequest(parent=JOB))
    assert [checkpoint.step for checkpoint in listed.checkpoints] == [30, 20]
    assert (begun.last_checkpoint.step, begun.last_checkpoint.attempt) == (30, 1)
    assert await two.read(begun.last_checkpoint.name) == {"w": b"30"}


async def test_a_job_makes_one_model_version_however_often_it_commits(
    catalog: RunningCatalog, admin: Client, scheduler: Client, version: str
) -> None:
    await scheduler.execute(JOB, 0, version)
    one, two = await catalog.attempt(JOB, 1), await catalog.attempt(JOB, 2)
    await one.execute(JOB, 1)
    info = model_pb2.ModelInfo(metrics={"accuracy": 0.98}, row_wise=True, frameworks={"keras": "3"})
    info.gates.add(kind="load", state=model_pb2.Gate.STATE_PASSED, detail="fine")
    first = await one.push(MODEL, SAVED, info)
    await two.execute(JOB, 2)

    second = await two.push(MODEL, {**SAVED, "extra": b"not quite the same"}, info)

    assert (first.version, second.version) == (f"{MODEL}/versions/1", f"{MODEL}/versions/1")
    got = await admin.models.GetModelVersion(model_service_pb2.GetModelVersionRequest(name=first.version))
    assert got.state == model_pb2.ModelVersion.STATE_READY
    assert (got.creator, got.info) == (f"{JOB}/attempts/1", info)


async def test_what_is_known_of_a_version_is_kept_whole_and_checked(
    catalog: RunningCatalog, admin: Client, scheduler: Client, version: str
) -> None:
    await scheduler.execute(JOB, 0, version)
    one = await catalog.attempt(JOB, 1)
    await one.execute(JOB, 1)
    info = model_pb2.ModelInfo(foreign=True, resident_bytes=1 << 30)
    info.latency.FromMicroseconds(1234)
    signature = info.signatures.add(name="serving_default")
    signature.inputs.add(name="image", dtype="uint8", shape=[-1, 28, 28, 1])
    signature.outputs.add(name="anything", dtype="string", unknown_rank=True)
    info.requirements.add(name="numpy", version="2.1.0", license="BSD-3-Clause")
    upload, objects = await one.begin(MODEL, SAVED)
    await one.send(upload, objects)
    wrong = model_pb2.ModelInfo()
    wrong.CopyFrom(info)
    wrong.signatures[0].outputs[0].dtype = "DT_STRING"

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await one.commit(upload.name, wrong)
    failure = failure_of(caught.value)
    assert failure.code is grpc.StatusCode.INVALID_ARGUMENT
    assert list(failure.fields) == ["model_info.signatures[0].outputs[0].dtype"]
    made = (await one.commit(upload.name, info)).version

    got = await admin.models.GetModelVersion(model_service_pb2.GetModelVersionRequest(name=made))
    assert got.info == info


async def test_a_failed_gate_rejects_the_version(
    catalog: RunningCatalog, admin: Client, scheduler: Client, version: str
) -> None:
    await scheduler.execute(JOB, 0, version)
    one = await catalog.attempt(JOB, 1)
    await one.execute(JOB, 1)
    info = model_pb2.ModelInfo(gates=[model_pb2.Gate(kind="parity", state=model_pb2.Gate.STATE_FAILED, detail="off")])

    pushed = await one.push(MODEL, SAVED, info)

    got = await admin.models.GetModelVersion(model_service_pb2.GetModelVersionRequest(name=pushed.version))
    assert got.state == model_pb2.ModelVersion.STATE_REJECTED


async def test_nobody_can_slip_something_into_a_jobs_upload(
    catalog: RunningCatalog, admin: Client, scheduler: Client, version: str
) -> None:
    await scheduler.execute(JOB, 0, version)
    one = await catalog.attempt(JOB, 1)
    await one.execute(JOB, 1)
    upload, _ = await one.begin(MODEL, SAVED)
    sign = upload_service_pb2.SignUploadPartsRequest(
        name=upload.name, parts=[upload_service_pb2.PartRef(pack=0, part=1)]
    )

    await refused(admin.uploads.SignUploadParts(sign), "PERMISSION_DENIED")
    await refused(
        admin.uploads.CommitUpload(upload_service_pb2.CommitUploadRequest(name=upload.name)), "PERMISSION_DENIED"
    )


async def test_machines_read_only_what_they_need(
    catalog: RunningCatalog, admin: Client, scheduler: Client, version: str
) -> None:
    secret = await admin.pushed(f"{PROJECT}/datasets/secret", {"s": b"s"})
    await scheduler.execute(JOB, 0, version)
    one, host = await catalog.attempt(JOB, 1), await catalog.client("host", "*", "hosts/h")
    await one.execute(JOB, 1)
    model = (await one.push(MODEL, SAVED)).version

    assert await one.read(version) == {"x": b"x"}
    assert await host.read(model) == SAVED
    for client, name in ((one, secret), (host, version)):
        await refused(client.files.SignReads(file_service_pb2.SignReadsRequest(name=name)), "PERMISSION_DENIED")


async def test_lineage_goes_from_the_data_to_the_deployment_and_outlives_what_it_names(
    catalog: RunningCatalog, admin: Client, scheduler: Client, version: str
) -> None:
    await scheduler.execute(JOB, 0, version)
    one = await catalog.attempt(JOB, 1)
    await one.execute(JOB, 1)
    model = (await one.push(MODEL, SAVED)).version
    await one.end(JOB, 1)
    deployment = f"{PROJECT}/deployments/d"
    await scheduler.execute(deployment, 0, model)
    await refused(
        admin.models.DeleteModelVersion(model_service_pb2.DeleteModelVersionRequest(name=model)), "STILL_NEEDED"
    )
    await scheduler.end(deployment, 0, STATE.STATE_CANCELLED)
    await admin.datasets.DeleteDatasetVersion(dataset_service_pb2.DeleteDatasetVersionRequest(name=version))

    for name in (version, model):
        found = (await admin.lineage.QueryLineage(lineage_service_pb2.QueryLineageRequest(name=name))).executions
        assert [execution.consumer for execution in found] == [JOB, deployment]
        assert [ref.name for ref in found[0].inputs] == [version]
        assert [ref.name for ref in found[0].outputs] == [model]
    near = await admin.lineage.QueryLineage(lineage_service_pb2.QueryLineageRequest(name=version, depth=1))
    assert [execution.consumer for execution in near.executions] == [JOB]


async def test_a_deployment_changes_its_inputs_with_its_next_attempt(
    catalog: RunningCatalog, admin: Client, scheduler: Client, version: str
) -> None:
    second = await admin.pushed(DIGITS, {"x": b"2"})
    deployment = f"{PROJECT}/deployments/d"
    await scheduler.execute(deployment, 0, version)

    both = await scheduler.execute(deployment, 1, version, second)
    only = await scheduler.execute(deployment, 2, second)

    assert [ref.name for ref in both.inputs] == [version, second]
    assert [ref.name for ref in only.inputs] == [second]
    await refused(scheduler.execute(deployment, 1, version), "STALE_ATTEMPT")
    await admin.datasets.DeleteDatasetVersion(dataset_service_pb2.DeleteDatasetVersionRequest(name=version))
    await scheduler.end(deployment, 2)
    assert (await scheduler.execute(deployment, 0, second)).state == STATE.STATE_OPEN


async def test_an_ended_execution_stays_ended(catalog: RunningCatalog, scheduler: Client, version: str) -> None:
    await scheduler.execute(JOB, 0, version)
    ended = await scheduler.end(JOB, 3, STATE.STATE_CANCELLED)

    assert await scheduler.end(JOB, 3, STATE.STATE_CANCELLED) == ended
    await refused(scheduler.end(JOB, 3, STATE.STATE_FAILED), "EXECUTION_ENDED")
    late = await catalog.attempt(JOB, 4)
    await refused(late.execute(JOB, 4), "EXECUTION_ENDED")


@pytest.mark.parametrize(
    ("consumer", "attempt", "inputs", "reason"),
    [
        ("projects/default/datasets/d", 0, ["x"], "INVALID_ARGUMENT"),
        ("projects/other/jobs/j", 0, [f"{DIGITS}/versions/1"], "INVALID_ARGUMENT"),
        (JOB, -1, [], "INVALID_ARGUMENT"),
        (JOB, 0, [], "INVALID_ARGUMENT"),
        (JOB, 1, [], "EXECUTION_ENDED"),
        (JOB, 0, ["projects/other/datasets/d/versions/1"], "INVALID_ARGUMENT"),
        (JOB, 0, [f"{DIGITS}/versions/nope"], "NOT_FOUND"),
    ],
)
async def test_a_wrong_begin_is_refused(
    scheduler: Client, version: str, consumer: str, attempt: int, inputs: list[str], reason: str
) -> None:
    request = lineage_service_pb2.BeginExecutionRequest(
        parent=PROJECT, consumer=consumer, attempt=attempt, inputs=inputs
    )
    await refused(scheduler.lineage.BeginExecution(request), reason)
