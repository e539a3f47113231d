"""Code and files of one's own: pushed by people, read by whoever's job they are an input of."""

import uuid

import grpc
import pytest

from modelyard.api.catalog.v1 import (
    file_service_pb2,
    lineage_service_pb2,
    package_pb2,
    package_service_pb2,
    project_service_pb2,
    upload_pb2,
    upload_service_pb2,
)
from modelyard.foundation.rpc.status import failure_of, reason_of
from tests.support.catalog import PROJECT, Client, RunningCatalog

MINE = f"{PROJECT}/packages/mine"
THEIRS = f"{PROJECT}/packages/theirs"
Kind = package_pb2.Package.Kind
CODE = {"train.py": b"def main(): ...\n", "template.toml": b'entry = "train:main"\n', "deep/more.py": b""}
JOB = f"{PROJECT}/jobs/j1"


async def failed(call: object) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    return caught.value


async def spec(client: Client, name: str) -> package_service_pb2.PackageSpec:
    return await client.packages.GetPackageSpec(package_service_pb2.GetPackageSpecRequest(name=name))


async def listed(client: Client) -> package_service_pb2.ListPackagesResponse:
    return await client.packages.ListPackages(package_service_pb2.ListPackagesRequest(parent=PROJECT))


@pytest.fixture
async def scheduler(catalog: RunningCatalog) -> Client:
    return await catalog.client("service", "*", "services/scheduler")


async def test_a_package_is_pushed_listed_read_and_deleted(admin: Client) -> None:
    version = await admin.pushed(MINE, CODE, labels={"git": "abc"})

    assert version == f"{MINE}/versions/1"
    assert await admin.read(version) == CODE
    got = await admin.packages.GetPackageVersion(
        package_service_pb2.GetPackageVersionRequest(name=f"{MINE}/versions/latest")
    )
    assert (got.name, got.file_count, dict(got.labels), got.creator) == (version, 3, {"git": "abc"}, "users/ann")
    package = await admin.packages.GetPackage(package_service_pb2.GetPackageRequest(name=MINE))
    assert (package.name, package.latest_version) == (MINE, 1)
    listed = await admin.packages.ListPackages(package_service_pb2.ListPackagesRequest(parent=PROJECT))
    assert list(listed.packages) == [package]
    wrong = package_service_pb2.DeletePackageRequest(name=MINE, etag="other")
    assert reason_of(await failed(admin.packages.DeletePackage(wrong))) == "ETAG_MISMATCH"
    await admin.packages.DeletePackage(package_service_pb2.DeletePackageRequest(name=MINE, etag=package.etag))
    error = await failed(admin.packages.GetPackage(package_service_pb2.GetPackageRequest(name=MINE)))
    assert (error.code(), failure_of(error).resource) == (grpc.StatusCode.NOT_FOUND, MINE)


async def test_the_same_files_are_the_same_version_whatever_came_between(admin: Client) -> None:
    first = await admin.pushed(MINE, CODE)
    second = await admin.pushed(MINE, {**CODE, "train.py": b"other"})

    again = await admin.push(MINE, CODE)

    assert (again.version, again.unchanged, second) == (first, True, f"{MINE}/versions/2")
    listed = await admin.packages.ListPackageVersions(
        package_service_pb2.ListPackageVersionsRequest(parent=MINE, page_size=1)
    )
    assert [version.name for version in listed.package_versions] == [second]
    rest = await admin.packages.ListPackageVersions(
        package_service_pb2.ListPackageVersionsRequest(parent=MINE, page_token=listed.next_page_token)
    )
    assert [version.name for version in rest.package_versions] == [first]


async def test_code_and_the_files_of_a_model_are_no_versions_of_one_package(admin: Client) -> None:
    saved = {"saved_model.pb": b"graph"}
    await admin.pushed(MINE, CODE, kind=Kind.KIND_CODE)
    await admin.pushed(THEIRS, saved, kind=Kind.KIND_MODEL)

    for target, files, kind, says in (
        (MINE, saved, Kind.KIND_MODEL, f"{MINE} holds code, so the files of a model can't become"),
        (THEIRS, CODE, Kind.KIND_CODE, f"{THEIRS} holds the files of a model, so code can't become"),
    ):
        failure = failure_of(await failed(admin.begin(target, files, kind=kind)))
        assert (failure.code, failure.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "PACKAGE_KIND_DIFFERS")
        assert says in failure.message
    kinds = {package.name: package.kind for package in (await listed(admin)).packages}
    assert kinds == {MINE: Kind.KIND_CODE, THEIRS: Kind.KIND_MODEL}
    assert await admin.pushed(MINE, {"train.py": b"2"}) == f"{MINE}/versions/2", "who says no kind gets the package's"


async def test_a_package_from_before_there_were_kinds_gets_that_of_its_next_push(admin: Client) -> None:
    await admin.pushed(MINE, CODE)
    assert (await listed(admin)).packages[0].kind == Kind.KIND_UNSPECIFIED

    await admin.pushed(MINE, CODE, kind=Kind.KIND_CODE)

    assert (await listed(admin)).packages[0].kind == Kind.KIND_CODE


async def test_of_two_first_pushes_of_different_kinds_one_wins(admin: Client) -> None:
    code, its_objects = await admin.begin(MINE, CODE, kind=Kind.KIND_CODE)
    await admin.pushed(MINE, {"saved_model.pb": b"graph"}, kind=Kind.KIND_MODEL)

    await admin.send(code, its_objects)
    done = await admin.commit(code.name)

    assert done.state == upload_pb2.Upload.STATE_FAILED
    assert "holds the files of a model" in done.error.message


async def test_a_kind_is_for_packages_only(admin: Client) -> None:
    error = await failed(admin.begin(f"{PROJECT}/datasets/d", CODE, kind=Kind.KIND_CODE))
    assert (error.code(), list(failure_of(error).fields)) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        ["upload.package_kind"],
    )
    error = await failed(admin.begin(MINE, CODE, kind=7))  # type: ignore[arg-type]
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_small_package_says_its_kind_too(admin: Client) -> None:
    files = [upload_service_pb2.InlineFile(path="train.py", content=b"")]
    request = upload_service_pb2.UploadInlineRequest(
        parent=PROJECT, target=MINE, files=files, package_kind=Kind.KIND_CODE
    )
    assert (await admin.uploads.UploadInline(request)).package_kind == Kind.KIND_CODE
    assert (await listed(admin)).packages[0].kind == Kind.KIND_CODE


async def test_a_dataset_and_a_package_of_one_name_are_two_things(admin: Client) -> None:
    package = await admin.pushed(MINE, CODE)
    dataset = await admin.pushed(f"{PROJECT}/datasets/mine", {"x": b"x"})

    assert await admin.read(package) == CODE
    assert await admin.read(dataset) == {"x": b"x"}
    names = (f"{PROJECT}/datasets/mine/versions/1", f"{PROJECT}/models/mine/versions/1")
    for name in names:
        request = package_service_pb2.GetPackageVersionRequest(name=name)
        error = await failed(admin.packages.GetPackageVersion(request))
        assert (error.code(), list(failure_of(error).fields)) == (grpc.StatusCode.INVALID_ARGUMENT, ["name"])


async def test_a_package_says_what_it_is(admin: Client) -> None:
    version = await admin.pushed(
        MINE, {**CODE, "__init__.py": b"", "not-a-module.py": b"", "requirements.txt": b"", "data.csv": b""}
    )

    got = await spec(admin, f"{MINE}/versions/latest")

    assert (got.package_version, got.template_toml, got.has_requirements) == (version, 'entry = "train:main"\n', True)
    assert list(got.modules) == ["train"]
    assert got.digest.startswith("sha256:")


async def test_a_package_without_anything_says_so(admin: Client) -> None:
    await admin.pushed(MINE, {"deep/template.toml": b"x", "deep/requirements.txt": b"x", "deep/train.py": b""})

    got = await spec(admin, f"{MINE}/versions/1")

    assert (got.template_toml, got.has_requirements, list(got.modules)) == ("", False, [])


@pytest.mark.parametrize(
    ("template", "says"), [(b"#" * ((64 << 10) + 1), "at most 65536"), (b"\xff\xfe", "is not UTF-8")]
)
async def test_a_template_that_cannot_be_read_is_refused(admin: Client, template: bytes, says: str) -> None:
    version = await admin.pushed(MINE, {**CODE, "template.toml": template})

    error = await failed(spec(admin, version))

    failure = failure_of(error)
    assert (failure.code, failure.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "PACKAGE_SPEC_WRONG")
    assert failure.resource == version
    assert says in failure.message


async def test_the_largest_template_is_read(admin: Client) -> None:
    version = await admin.pushed(MINE, {**CODE, "template.toml": b"#" * (64 << 10)})

    assert len((await spec(admin, version)).template_toml) == 64 << 10


async def test_a_small_package_goes_in_one_call_and_a_model_does_not(admin: Client) -> None:
    files = [upload_service_pb2.InlineFile(path=path, content=content) for path, content in CODE.items()]
    request = upload_service_pb2.UploadInlineRequest(
        parent=PROJECT, target=MINE, files=files, request_id=str(uuid.uuid4())
    )
    assert (await admin.uploads.UploadInline(request)).state == upload_pb2.Upload.STATE_COMMITTED
    assert await admin.read(f"{MINE}/versions/1") == CODE

    for target in (f"{PROJECT}/models/m", f"{JOB}/outputs/run", f"{JOB}/checkpoints/1", "nothing"):
        error = await failed(
            admin.uploads.UploadInline(
                upload_service_pb2.UploadInlineRequest(parent=PROJECT, target=target, files=files)
            )
        )
        assert (error.code(), list(failure_of(error).fields)) == (grpc.StatusCode.INVALID_ARGUMENT, ["target"])


async def test_an_attempt_reads_the_packages_that_it_was_given_and_pushes_none(
    catalog: RunningCatalog, admin: Client, scheduler: Client
) -> None:
    code, other = await admin.pushed(MINE, CODE), await admin.pushed(f"{PROJECT}/packages/other", {"x.py": b""})
    data = await admin.pushed(f"{PROJECT}/datasets/d", {"x": b"x"})
    begun = await scheduler.execute(JOB, 0, f"{MINE}/versions/latest", data)
    assert [ref.name for ref in begun.inputs] == [code, data]
    one, host = await catalog.attempt(JOB, 1), await catalog.client("host", "*", "hosts/h")
    await one.execute(JOB, 1)

    assert await one.read(code) == CODE
    assert (await spec(one, code)).package_version == code
    for call in (
        one.files.SignReads(file_service_pb2.SignReadsRequest(name=other)),
        spec(one, other),
        host.files.SignReads(file_service_pb2.SignReadsRequest(name=code)),
        one.begin(MINE, CODE),
    ):
        error = await failed(call)
        assert (error.code(), reason_of(error)) == (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED")


async def test_a_package_in_use_cannot_be_deleted(admin: Client, scheduler: Client) -> None:
    code = await admin.pushed(MINE, CODE)
    await scheduler.execute(JOB, 0, code)
    delete = package_service_pb2.DeletePackageVersionRequest(name=code)
    for call in (
        admin.packages.DeletePackageVersion(delete),
        admin.packages.DeletePackage(package_service_pb2.DeletePackageRequest(name=MINE)),
    ):
        failure = failure_of(await failed(call))
        assert (failure.code, failure.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "STILL_NEEDED")
        assert JOB in failure.facts["holders"]
    deleted = admin.projects.DeleteProject(project_service_pb2.DeleteProjectRequest(name=PROJECT))
    assert MINE in failure_of(await failed(deleted)).facts["holders"]

    await scheduler.end(JOB, 0)
    await admin.packages.DeletePackageVersion(delete)
    found = await admin.lineage.QueryLineage(lineage_service_pb2.QueryLineageRequest(name=code))
    assert [execution.consumer for execution in found.executions] == [JOB]


@pytest.mark.parametrize(
    "name",
    ["", MINE, f"{MINE}/versions/0", f"{MINE}/versions/-1", f"{MINE}/versions/", "projects/P/packages/mine/versions/1"],
)
async def test_a_name_that_is_no_version_is_refused_with_its_field(admin: Client, name: str) -> None:
    for call in (
        admin.packages.GetPackageVersion(package_service_pb2.GetPackageVersionRequest(name=name)),
        admin.packages.DeletePackageVersion(package_service_pb2.DeletePackageVersionRequest(name=name)),
        spec(admin, name),
    ):
        failure = failure_of(await failed(call))
        assert (failure.code, list(failure.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, ["name"])


async def test_a_version_is_deleted_by_its_number_only(admin: Client) -> None:
    await admin.pushed(MINE, CODE)
    request = package_service_pb2.DeletePackageVersionRequest(name=f"{MINE}/versions/latest")

    failure = failure_of(await failed(admin.packages.DeletePackageVersion(request)))

    assert (failure.code, list(failure.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, ["name"])
    for missing in (f"{MINE}/versions/7", f"{MINE}/versions/alias", f"{PROJECT}/packages/none/versions/1"):
        assert (await failed(spec(admin, missing))).code() is grpc.StatusCode.NOT_FOUND
