"""Files that a job leaves beside its model: stored by its attempts, kept when it has ended."""

from typing import Any

import grpc
import pytest

from modelyard.api.catalog.v1 import (
    execution_pb2,
    file_service_pb2,
    lineage_service_pb2,
    upload_pb2,
    upload_service_pb2,
)
from modelyard.foundation.rpc.status import failure_of, reason_of
from tests.support.catalog import PROJECT, Client, RunningCatalog

JOB = f"{PROJECT}/jobs/j1"
RUN = f"{JOB}/outputs/run"
EVENTS = {"tensorboard/train/events.1": b"one", "images/confusion.png": b"picture"}


async def failed(call: object) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    return caught.value


@pytest.fixture
async def scheduler(catalog: RunningCatalog, admin: Client) -> Client:
    """The scheduler, which has begun the job."""
    client = await catalog.client("service", "*", "services/scheduler")
    await client.execute(JOB, 0, await admin.pushed(f"{PROJECT}/datasets/d", {"x": b"x"}))
    return client


@pytest.fixture
async def one(catalog: RunningCatalog, scheduler: Client) -> Client:
    client = await catalog.attempt(JOB, 1)
    await client.execute(JOB, 1)
    return client


async def outputs(client: Client, job: str = JOB, **page: Any) -> lineage_service_pb2.ListOutputsResponse:
    return await client.lineage.ListOutputs(lineage_service_pb2.ListOutputsRequest(parent=job, **page))


async def test_an_output_is_stored_listed_and_read_by_people_also_when_the_job_has_ended(
    catalog: RunningCatalog, one: Client
) -> None:
    assert await one.pushed(RUN, EVENTS) == RUN
    await one.end(JOB, 1, execution_pb2.Execution.STATE_FAILED)
    viewer = await catalog.client("viewer", "default", "users/ben")

    (listed,) = (await outputs(viewer)).outputs

    assert (listed.name, listed.size_bytes, listed.file_count, listed.attempt) == (RUN, 10, 2, 1)
    assert await viewer.read(RUN) == EVENTS
    assert await one.read(RUN) == EVENTS
    files = await viewer.files.ListFiles(file_service_pb2.ListFilesRequest(parent=RUN))
    assert (files.digest, [file.path for file in files.files]) == (listed.digest, sorted(EVENTS))


async def test_an_output_replaces_the_one_of_its_name_and_sends_only_what_is_new(admin: Client, one: Client) -> None:
    await one.pushed(RUN, EVENTS)
    entries, _ = await one.fetched(RUN)
    await one.pushed(f"{JOB}/outputs/report", {"evaluation.json": b"{}"})

    await one.pushed(RUN, {"tensorboard/train/events.2": b"two"}, base=RUN, kept=tuple(entries))

    assert await admin.read(RUN) == {**EVENTS, "tensorboard/train/events.2": b"two"}
    assert [output.name for output in (await outputs(admin)).outputs] == [f"{JOB}/outputs/report", RUN]
    again = await one.push(RUN, {"tensorboard/train/events.2": b"two"}, base=RUN, kept=tuple(entries))
    assert (again.version, again.unchanged) == (RUN, True)


async def test_outputs_are_listed_page_by_page(one: Client, admin: Client) -> None:
    for name in ("c", "a", "b"):
        await one.pushed(f"{JOB}/outputs/{name}", {"x": name.encode()})

    first = await outputs(admin, page_size=2)
    rest = await outputs(admin, page_size=2, page_token=first.next_page_token)

    names = [output.name.rpartition("/")[2] for output in [*first.outputs, *rest.outputs]]
    assert (names, rest.next_page_token) == (["a", "b", "c"], "")


async def test_a_newer_attempt_shuts_out_the_older_one_and_goes_on_from_its_output(
    catalog: RunningCatalog, one: Client, admin: Client
) -> None:
    await one.pushed(RUN, EVENTS)
    upload, objects = await one.begin(RUN, {"late": b"late"})
    await one.send(upload, objects)
    two = await catalog.attempt(JOB, 2)
    await two.execute(JOB, 2)

    for call in (one.commit(upload.name), one.begin(RUN, EVENTS)):
        error = await failed(call)
        assert (error.code(), reason_of(error)) == (grpc.StatusCode.ABORTED, "STALE_ATTEMPT")

    entries, _ = await two.fetched(RUN)
    await two.pushed(RUN, {"new": b"new"}, base=RUN, kept=tuple(entries))
    (listed,) = (await outputs(admin)).outputs
    assert (listed.attempt, await admin.read(RUN)) == (2, {**EVENTS, "new": b"new"})


async def test_only_attempts_of_the_job_store_and_see_its_outputs(
    catalog: RunningCatalog, one: Client, admin: Client
) -> None:
    await one.pushed(RUN, EVENTS)
    other = await catalog.attempt(f"{PROJECT}/jobs/j2", 1)
    host = await catalog.client("host", "*", "hosts/h")
    for call in (admin.begin(RUN, EVENTS), other.begin(RUN, EVENTS)):
        error = await failed(call)
        assert (error.code(), reason_of(error)) == (grpc.StatusCode.PERMISSION_DENIED, "ONLY_ATTEMPTS")
    read = file_service_pb2.SignReadsRequest(name=RUN)
    for refused in (other.files.SignReads(read), host.files.SignReads(read), outputs(other)):
        error = await failed(refused)
        assert (error.code(), reason_of(error)) == (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")
    upload, _ = await one.begin(RUN, {"x": b"x"})
    commit = upload_service_pb2.CommitUploadRequest(name=upload.name)
    assert reason_of(await failed(admin.uploads.CommitUpload(commit))) == "PERMISSION_DENIED"


async def test_a_base_of_an_output_is_an_output_of_the_same_job(one: Client) -> None:
    await one.pushed(f"{JOB}/checkpoints/1", {"w": b"w"})
    for base, code in (
        (f"{JOB}/checkpoints/1", grpc.StatusCode.INVALID_ARGUMENT),
        (f"{PROJECT}/jobs/j2/outputs/run", grpc.StatusCode.INVALID_ARGUMENT),
        (f"{PROJECT}/datasets/d/versions/1", grpc.StatusCode.INVALID_ARGUMENT),
        (RUN, grpc.StatusCode.NOT_FOUND),
    ):
        failure = failure_of(await failed(one.begin(RUN, {"x": b"x"}, base=base)))
        assert (failure.code, list(failure.fields)) == (code, ["upload.base_version"])


@pytest.mark.parametrize("name", ["Run", "", "a" * 64, "../run", "run/x", "1run"])
async def test_a_name_that_no_output_can_have_is_refused_with_its_field(one: Client, name: str) -> None:
    upload = upload_pb2.Upload(target=f"{JOB}/outputs/{name}", packs=[upload_pb2.Pack(size_bytes=1, manifest=True)])
    request = upload_service_pb2.BeginUploadRequest(parent=PROJECT, upload=upload)

    failure = failure_of(await failed(one.uploads.BeginUpload(request)))

    assert (failure.code, list(failure.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, ["upload.target"])


async def test_what_is_not_there_says_so(admin: Client) -> None:
    error = await failed(admin.files.SignReads(file_service_pb2.SignReadsRequest(name=RUN)))
    assert (error.code(), failure_of(error).resource) == (grpc.StatusCode.NOT_FOUND, RUN)
    assert not (await outputs(admin, f"{PROJECT}/jobs/never")).outputs
    wrong = failure_of(await failed(outputs(admin, f"{PROJECT}/datasets/d")))
    assert (wrong.code, list(wrong.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, ["parent"])
    foreign = failure_of(await failed(outputs(admin, page_token="forged")))
    assert foreign.code is grpc.StatusCode.INVALID_ARGUMENT
