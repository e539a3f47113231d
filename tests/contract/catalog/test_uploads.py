"""How content gets in, on a real server and a real store."""

import hashlib
import uuid

import grpc
import pytest

from modelyard.api.catalog.v1 import dataset_service_pb2, file_service_pb2, upload_pb2, upload_service_pb2
from modelyard.foundation.rpc.status import failure_of, reason_of
from modelyard.tree import Entry, encode_manifest
from tests.support.catalog import PROJECT, Client, RunningCatalog, put

DIGITS = f"{PROJECT}/datasets/digits"
FILES = {"a/1.png": b"one" * 100, "a/2.png": b"two", "b/3.png": b"three", "empty": b""}
STATE = upload_pb2.Upload


async def test_what_was_pushed_is_what_is_read(admin: Client) -> None:
    version = await admin.pushed(DIGITS, FILES, labels={"licence": "cc0"})

    assert version == f"{DIGITS}/versions/1"
    assert await admin.read(version) == FILES
    got = await admin.datasets.GetDatasetVersion(dataset_service_pb2.GetDatasetVersionRequest(name=version))
    assert (got.file_count, got.size_bytes, got.labels["licence"], got.creator) == (4, 308, "cc0", "users/ann")
    assert got.digest.startswith("sha256:")


async def test_versions_are_numbered_without_gaps(admin: Client) -> None:
    for number in (1, 2, 3):
        version = await admin.pushed(DIGITS, {"n": str(number).encode()})
        assert version == f"{DIGITS}/versions/{number}"


async def test_a_push_of_the_same_content_makes_no_version(admin: Client) -> None:
    version = await admin.pushed(DIGITS, FILES)

    again = await admin.push(DIGITS, FILES)

    assert (again.unchanged, again.version) == (True, version)


async def test_a_new_version_sends_only_what_changed(admin: Client) -> None:
    first = await admin.pushed(DIGITS, FILES)
    entries, _ = await admin.fetched(first)
    kept = tuple(entry for entry in entries if entry.path != "a/2.png")

    upload, objects = await admin.begin(DIGITS, {"c/4.png": b"four"}, base=first, kept=kept)
    await admin.send(upload, objects)
    second = await admin.commit(upload.name)

    assert second.state == STATE.STATE_COMMITTED, second.error
    assert sum(len(data) for number, data in objects.items() if number != max(objects)) == len(b"four")
    assert await admin.read(second.version) == {
        "a/1.png": FILES["a/1.png"],
        "b/3.png": b"three",
        "empty": b"",
        "c/4.png": b"four",
    }


async def test_a_large_file_goes_in_parts_and_its_upload_can_be_resumed(admin: Client) -> None:
    data = hashlib.sha256(b"seed").digest() * (600 * 1024)
    request_id = str(uuid.uuid4())
    upload, objects = await admin.begin(DIGITS, {"big.bin": data}, request_id=request_id)
    pack = upload.packs[0]
    assert pack.part_size_bytes == 8 << 20
    first = await admin.uploads.SignUploadParts(
        upload_service_pb2.SignUploadPartsRequest(
            name=upload.name, parts=[upload_service_pb2.PartRef(pack=pack.number, part=1)]
        )
    )
    status, _ = put(first.parts[0].url, data[: 8 << 20])
    assert status == 200

    resumed, _ = await admin.begin(DIGITS, {"big.bin": data}, request_id=request_id)

    assert resumed.name == upload.name
    assert [(part.number, part.size_bytes) for part in resumed.packs[0].received_parts] == [(1, 8 << 20)]
    await admin.send(resumed, objects)
    committed = await admin.commit(upload.name)
    assert committed.state == STATE.STATE_COMMITTED, committed.error
    assert await admin.read(committed.version) == {"big.bin": data}


async def test_a_commit_before_all_parts_are_there_names_the_first_missing_one(admin: Client) -> None:
    upload, _ = await admin.begin(DIGITS, FILES)

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await admin.commit(upload.name)

    failure = failure_of(caught.value)
    assert (failure.code, failure.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "PARTS_MISSING")
    assert (failure.facts["pack"], failure.facts["part"]) == ("0", "1")
    got = await admin.uploads.GetUpload(upload_service_pb2.GetUploadRequest(name=upload.name))
    assert got.state == STATE.STATE_OPEN


async def test_damaged_content_fails_the_upload_and_names_the_file(admin: Client) -> None:
    upload, objects = await admin.begin(DIGITS, FILES)
    await admin.send(upload, {0: objects[0].replace(b"two", b"TWO"), 1: objects[1]})

    settled = await admin.commit(upload.name)

    assert settled.state == STATE.STATE_FAILED
    assert settled.error.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert "a/2.png" in settled.error.message
    with pytest.raises(grpc.aio.AioRpcError, match="does not exist"):
        await admin.datasets.GetDataset(dataset_service_pb2.GetDatasetRequest(name=DIGITS))


SHA = hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        (b"not a manifest at all", "manifest"),
        (encode_manifest([Entry("x", 3, SHA, "9", 0)]), "neither one of this upload"),
        (encode_manifest([Entry("x", 3, SHA, f"{'0' * 32}-0", 0)]), "neither one of this upload"),
        (encode_manifest([Entry("x", 3, SHA, "0", 1)]), "ends at byte 4"),
        (encode_manifest([Entry("x", 2, SHA, "0", 0), Entry("y", 2, SHA, "0", 1)]), "overlap"),
        (encode_manifest([Entry("x", 3, SHA, "0", 0)]).replace(b'"x"', b'"../x"'), "manifest"),
    ],
)
async def test_a_manifest_that_does_not_fit_fails_the_upload(admin: Client, manifest: bytes, says: str) -> None:
    upload, objects = await admin.begin(DIGITS, {"x": b"abc"}, manifest=manifest)
    await admin.send(upload, objects)

    settled = await admin.commit(upload.name)

    assert settled.state == STATE.STATE_FAILED
    assert says in settled.error.message


async def test_an_entry_of_another_projects_pack_is_refused(catalog: RunningCatalog, admin: Client) -> None:
    victim = await admin.pushed(DIGITS, FILES)
    entries, _ = await admin.fetched(victim)
    upload, objects = await admin.begin(f"{PROJECT}/datasets/thief", {"own": b"own"}, kept=tuple(entries))
    await admin.send(upload, objects)

    settled = await admin.commit(upload.name)

    assert settled.state == STATE.STATE_FAILED
    assert "neither one of this upload" in settled.error.message


async def test_signed_urls_are_dead_after_the_commit(admin: Client) -> None:
    upload, objects = await admin.begin(DIGITS, FILES)
    signed = await admin.uploads.SignUploadParts(
        upload_service_pb2.SignUploadPartsRequest(name=upload.name, parts=[upload_service_pb2.PartRef(pack=0, part=1)])
    )
    await admin.send(upload, objects)
    committed = await admin.commit(upload.name)

    status, _ = put(signed.parts[0].url, b"evil" * 77)

    assert status == 404
    assert await admin.read(committed.version) == FILES


async def test_a_commit_is_answered_the_same_twice(admin: Client) -> None:
    upload, objects = await admin.begin(DIGITS, FILES)
    await admin.send(upload, objects)
    first = await admin.commit(upload.name)

    again = await admin.commit(upload.name)

    assert again == first


async def test_an_aborted_upload_takes_no_parts_and_no_commit(admin: Client) -> None:
    upload, _ = await admin.begin(DIGITS, FILES)
    aborted = await admin.uploads.AbortUpload(upload_service_pb2.AbortUploadRequest(name=upload.name))
    assert aborted.state == STATE.STATE_ABORTED

    for call in (
        admin.uploads.CommitUpload(upload_service_pb2.CommitUploadRequest(name=upload.name)),
        admin.uploads.SignUploadParts(
            upload_service_pb2.SignUploadPartsRequest(
                name=upload.name, parts=[upload_service_pb2.PartRef(pack=0, part=1)]
            )
        ),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert reason_of(caught.value) == "UPLOAD_NOT_OPEN"


async def test_a_small_dataset_goes_in_one_call(admin: Client) -> None:
    request = upload_service_pb2.UploadInlineRequest(
        parent=PROJECT,
        target=DIGITS,
        files=[upload_service_pb2.InlineFile(path=path, content=content) for path, content in FILES.items()],
        request_id=str(uuid.uuid4()),
    )

    uploaded = await admin.uploads.UploadInline(request)
    again = await admin.uploads.UploadInline(request)

    assert uploaded.state == STATE.STATE_COMMITTED
    assert again == uploaded
    assert await admin.read(uploaded.version) == FILES


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ([], "INVALID_ARGUMENT"),
        ([("a", b"x" * (1 << 20)), ("b", b"x")], "TREE_TOO_LARGE"),
        ([("../a", b"x")], "TREE_WRONG"),
        ([("a", b"x"), ("a", b"y")], "TREE_WRONG"),
        ([("a", b"x"), ("a/b", b"y")], "TREE_WRONG"),
    ],
)
async def test_what_is_no_tree_is_refused_inline(admin: Client, files: list[tuple[str, bytes]], reason: str) -> None:
    inline = [upload_service_pb2.InlineFile(path=path, content=content) for path, content in files]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await admin.uploads.UploadInline(
            upload_service_pb2.UploadInlineRequest(parent=PROJECT, target=DIGITS, files=inline)
        )

    assert reason_of(caught.value) == reason


async def test_files_are_listed_page_by_page(admin: Client) -> None:
    version = await admin.pushed(DIGITS, {f"{n:04}": b"x" * n for n in range(2500)})
    paths, token = [], ""
    while True:
        answer = await admin.files.ListFiles(
            file_service_pb2.ListFilesRequest(parent=version, page_size=999, page_token=token)
        )
        paths += [file.path for file in answer.files]
        token = answer.next_page_token
        if not token:
            break

    assert paths == [f"{n:04}" for n in range(2500)]


async def test_a_model_comes_from_an_attempt_only(admin: Client) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await admin.begin(f"{PROJECT}/models/m", FILES)

    assert reason_of(caught.value) == "ONLY_ATTEMPTS"


async def test_a_pack_that_is_never_sent_cannot_be_named_twice_or_without_bytes(admin: Client) -> None:
    for packs in (
        [upload_pb2.Pack(number=0, size_bytes=0, manifest=True)],
        [upload_pb2.Pack(number=0, size_bytes=1)],
        [upload_pb2.Pack(number=0, size_bytes=1, manifest=True), upload_pb2.Pack(number=0, size_bytes=1)],
        [upload_pb2.Pack(number=-1, size_bytes=1, manifest=True)],
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await admin.uploads.BeginUpload(
                upload_service_pb2.BeginUploadRequest(
                    parent=PROJECT, upload=upload_pb2.Upload(target=DIGITS, packs=packs)
                )
            )
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
