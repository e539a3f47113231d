"""Sends a new version: what the base already has stays there, the rest goes in packs to signed URLs."""

import threading
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace

from modelyard.api.catalog.v1 import model_pb2, package_pb2, upload_pb2, upload_service_pb2, upload_service_pb2_grpc
from modelyard.sdk.connection import Connection
from modelyard.sdk.download import read_manifest, signed_reads
from modelyard.sdk.errors import FailedPrecondition, ModelyardError, NotFound, PermissionDenied, from_status
from modelyard.sdk.folder import Sources, hash_files, read_pack
from modelyard.sdk.progress import Progress, silent
from modelyard.sdk.store import Store
from modelyard.tree import Entry, PlannedPack, diff, digest, encode_manifest, plan_packs

_SENDERS = 6
_SIGN_BATCH = 64
_POLL_S = (0.02, 0.05, 0.1, 0.2, 0.5)
_State = upload_pb2.Upload.State
_NAMESPACE = uuid.UUID("6f1d3a52-0a8f-4e8c-9d4e-0d7a0d4c2b11")
"""Makes request ids of equal pushes equal, so that a push that died goes on where it was."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What came of a push."""

    version: str
    """Full name of the version."""
    digest: str
    unchanged: bool
    """The target's latest version had this content already."""
    file_count: int
    sent_bytes: int
    """Content that was sent now, without the manifest."""
    skipped: tuple[str, ...] = ()
    """What of the folder was left out; a folder's path ends in `/`."""
    left_out: tuple[str, ...] = ()
    """Of a dataset: tables and files of lines that can't be read and are no part of the version, `path: reason`."""
    notes: tuple[str, ...] = ()
    """Of a dataset: how it was understood, where it could have been meant otherwise."""
    problems: tuple[str, ...] = ()
    """Of a dataset: examples that can't be used and are left out, `path:row: reason`; the first thousand."""
    problem_count: int = 0
    """All of these."""

    def without(self, skipped: Sequence[str]) -> "Pushed":
        """The same, where these were left out."""
        return replace(self, skipped=tuple(skipped))


@dataclass(frozen=True, slots=True)
class _Part:
    pack: int
    number: int
    offset: int
    length: int


def push(
    connection: Connection,
    target: str,
    sources: Sources,
    *,
    base: str = "",
    labels: Mapping[str, str] | None = None,
    model_info: model_pb2.ModelInfo | None = None,
    package_kind: package_pb2.Package.Kind.ValueType = package_pb2.Package.KIND_UNSPECIFIED,
    progress: Progress = silent,
    store: Store | None = None,
) -> Pushed:
    """Make `sources` the next version of `target`.

    `base` names a version of the same target whose packs may be used again; `…/versions/latest` is fine, and one that
    does not exist yet counts as none.
    """
    store = store or Store(connection.access.ca_file)
    local = hash_files(sources, progress)
    whole = digest(local)
    base_name, base_digest, base_entries = _read_base(connection, store, base)
    if base_digest == whole:
        return Pushed(base_name, whole, True, len(local), 0)
    changes = diff(base_entries, local)
    plan = plan_packs(changes.missing)
    manifest = encode_manifest([*changes.kept, *plan.entries])
    wanted = upload_pb2.Upload(target=target, base_version=base_name, labels=labels or {}, package_kind=package_kind)
    upload = _begin(connection, wanted, plan.packs, len(manifest), whole)
    if upload.state == _State.STATE_OPEN:
        _send(connection, store, upload, plan.packs, manifest, sources, progress)
    done = _commit(connection, upload.name, model_info, progress)
    return Pushed(done.version, whole, done.unchanged, len(local), sum(pack.size for pack in plan.packs))


def _read_base(connection: Connection, store: Store, base: str) -> tuple[str, str, list[Entry]]:
    if not base:
        return "", "", []
    try:
        reads = signed_reads(connection, base)
    except NotFound:
        return "", "", []
    return reads.name, reads.digest, read_manifest(store, reads)


def _begin(
    connection: Connection,
    wanted: upload_pb2.Upload,
    packs: Sequence[PlannedPack],
    manifest_bytes: int,
    whole: str,
) -> upload_pb2.Upload:
    """The upload to go on with: an open one of the same content if there is one, otherwise a new one."""
    stub = upload_service_pb2_grpc.UploadServiceStub(connection.channel)
    for number, pack in enumerate(packs):
        wanted.packs.add(number=number, size_bytes=pack.size)
    wanted.packs.add(number=len(packs), size_bytes=manifest_bytes, manifest=True)
    parent = "/".join(wanted.target.split("/")[:2])
    said = [wanted.target, wanted.base_version, whole, str(sorted(wanted.labels.items())), str(wanted.package_kind)]
    same = str(uuid.uuid5(_NAMESPACE, "\n".join(said)))
    for request_id in (same, str(uuid.uuid4())):
        request = upload_service_pb2.BeginUploadRequest(parent=parent, upload=wanted, request_id=request_id)
        try:
            begun = connection.call(stub.BeginUpload, request)
            upload = connection.call(stub.GetUpload, upload_service_pb2.GetUploadRequest(name=begun.name))
        except NotFound:
            if request_id != same:
                raise
            # It was into a project of this name that is gone.
            continue
        if upload.state in (_State.STATE_OPEN, _State.STATE_COMMITTING):
            return upload
    return upload


def _send(
    connection: Connection,
    store: Store,
    upload: upload_pb2.Upload,
    packs: Sequence[PlannedPack],
    manifest: bytes,
    sources: Sources,
    progress: Progress,
) -> None:
    """PUT every part that the store has not received."""
    total = sum(pack.size_bytes for pack in upload.packs)
    received = {(pack.number, part.number) for pack in upload.packs for part in pack.received_parts}
    parts = [part for pack in upload.packs for part in _parts(pack)]
    missing = [part for part in parts if (part.pack, part.number) not in received]
    done = total - sum(part.length for part in missing)
    lock = threading.Lock()

    def send(part: _Part, url: str) -> int:
        if part.pack == len(packs):
            data = manifest[part.offset : part.offset + part.length]
        else:
            data = read_pack(packs[part.pack].files, sources, part.offset, part.length)
        try:
            store.put(url, data)
        except PermissionDenied:
            store.put(_sign(connection, upload.name, [part])[0], data)
        return part.length

    progress("sending", done, total)
    senders = ThreadPoolExecutor(_SENDERS, "push")
    try:
        for start in range(0, len(missing), _SIGN_BATCH):
            batch = missing[start : start + _SIGN_BATCH]
            urls = _sign(connection, upload.name, batch)
            for future in as_completed(
                [senders.submit(send, part, url) for part, url in zip(batch, urls, strict=True)]
            ):
                with lock:
                    done += future.result()
                progress("sending", done, total)
    finally:
        # Once one has failed, or the push is given up, those that wait need not be tried.
        senders.shutdown(cancel_futures=True)


def _parts(pack: upload_pb2.Pack) -> Iterable[_Part]:
    size = pack.part_size_bytes
    for index, offset in enumerate(range(0, pack.size_bytes, size)):
        yield _Part(pack.number, index + 1, offset, min(size, pack.size_bytes - offset))


def _sign(connection: Connection, name: str, parts: Sequence[_Part]) -> list[str]:
    stub = upload_service_pb2_grpc.UploadServiceStub(connection.channel)
    refs = [upload_service_pb2.PartRef(pack=part.pack, part=part.number) for part in parts]
    answer = connection.call(stub.SignUploadParts, upload_service_pb2.SignUploadPartsRequest(name=name, parts=refs))
    return [part.url for part in answer.parts]


def _commit(
    connection: Connection, name: str, model_info: model_pb2.ModelInfo | None, progress: Progress
) -> upload_pb2.Upload:
    """Commit and follow the verification to its end."""
    stub = upload_service_pb2_grpc.UploadServiceStub(connection.channel)
    upload = connection.call(
        stub.CommitUpload, upload_service_pb2.CommitUploadRequest(name=name, model_info=model_info)
    )
    polls = 0
    while upload.state == _State.STATE_COMMITTING:
        time.sleep(_POLL_S[min(polls, len(_POLL_S) - 1)])  # the catalog has no watch for uploads
        polls += 1
        upload = connection.call(stub.GetUpload, upload_service_pb2.GetUploadRequest(name=name))
        progress("verifying", upload.verified_bytes, upload.total_bytes)
    if upload.state == _State.STATE_COMMITTED:
        return upload
    raise _why(upload)


def _why(upload: upload_pb2.Upload) -> ModelyardError:
    if upload.HasField("error"):
        return from_status(upload.error)
    state = _State.Name(upload.state).removeprefix("STATE_").lower()
    return FailedPrecondition(f"{upload.name} is {state}; push again", reason="UPLOAD_NOT_COMMITTED")
