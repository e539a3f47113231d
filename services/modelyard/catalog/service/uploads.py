"""Uploads up to their commit: begin, sign parts, look, give up."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from modelyard.catalog.domain.artifacts import Tree, validate_labels
from modelyard.catalog.domain.errors import PartsMissing, UploadNotOpen, not_found
from modelyard.catalog.domain.executions import check_output_room
from modelyard.catalog.domain.kinds import PackageKind, agreed_kind, check_only_of_packages
from modelyard.catalog.domain.model_info import ModelInfo, validate_model_info
from modelyard.catalog.domain.names import (
    ArtifactName,
    Collection,
    OutputName,
    Target,
    VersionName,
    check_same_project,
    parse_readable,
    parse_upload,
)
from modelyard.catalog.domain.uploads import (
    Pack,
    Upload,
    UploadState,
    check_open,
    validate_packs,
)
from modelyard.catalog.service.access import check_may_push, check_owns, check_pushes
from modelyard.catalog.service.audit import audit_row
from modelyard.catalog.service.existing import (
    existing_job_tree,
    existing_project,
    existing_upload,
    existing_version,
    outputs_of,
)
from modelyard.catalog.service.parts import UploadParts
from modelyard.catalog.service.ports import Catalog, RequestKey, Transaction
from modelyard.foundation.auth.identity import Identity
from modelyard.foundation.clock import Clock
from modelyard.foundation.errors import InvalidArgument
from modelyard.foundation.ids import new_uid
from modelyard.foundation.objectstore.store import ObjectStore

MAX_SIGNED_PARTS = 1000
_STORE_CALLS_AT_ONCE = 8

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class UploadLimits:
    max_packs: int = 10_000
    max_bytes: int = 1 << 44
    max_manifest_bytes: int = 512 << 20
    ttl: timedelta = timedelta(hours=24)
    """How long an upload may stay open."""
    url_ttl: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class PartRef:
    pack: int
    part: int


class UploadService:
    def __init__(
        self,
        catalog: Catalog,
        store: ObjectStore,
        clock: Clock,
        limits: UploadLimits,
        *,
        committing: Callable[[], None] = lambda: None,
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        """`committing` and `ended` wake the loops that go on with such uploads."""
        self._catalog = catalog
        self._store = store
        self._parts = UploadParts(catalog, store)
        self._clock = clock
        self._limits = limits
        self._committing = committing
        self._ended = ended

    async def begin(
        self,
        caller: Identity,
        project: str,
        target: Target,
        base_version: str,
        packs: Sequence[Pack],
        labels: Mapping[str, str],
        key: RequestKey,
        package_kind: PackageKind = PackageKind.UNSAID,
    ) -> Upload:
        check_same_project(project, target.project, "upload.target")
        check_may_push(caller, target)
        check_only_of_packages(package_kind, target, "upload.package_kind")
        limits = self._limits
        validate_packs(
            packs,
            max_packs=limits.max_packs,
            max_bytes=limits.max_bytes,
            max_manifest_bytes=limits.max_manifest_bytes,
        )
        labels = validate_labels(labels, "upload.labels")
        upload = await self._inserted(caller, project, target, base_version, packs, labels, key, package_kind)
        return await self._parts.received(upload) if upload.state is UploadState.OPEN else upload

    async def sign_parts(
        self, caller: Identity, name: str, parts: Sequence[PartRef], origin: str
    ) -> tuple[list[str], datetime]:
        """A URL for each part asked for, and when they end."""
        if not 1 <= len(parts) <= MAX_SIGNED_PARTS:
            raise InvalidArgument(f"parts has {len(parts)} entries; ask for 1 to {MAX_SIGNED_PARTS}", field="parts")
        upload = await self._open(caller, name)
        packs = {pack.number: pack for pack in upload.packs}
        for index, ref in enumerate(parts):
            pack = packs.get(ref.pack)
            if pack is None:
                raise InvalidArgument(f"{name} has no pack {ref.pack}", field=f"parts[{index}].pack")
            if not 1 <= ref.part <= pack.part_count:
                raise InvalidArgument(
                    f"pack {ref.pack} has the parts 1 to {pack.part_count}; {ref.part} is none of them",
                    field=f"parts[{index}].part",
                )
        wanted = {ref.pack for ref in parts}
        upload = await self._parts.started(upload, [pack for pack in upload.packs if pack.number in wanted])
        check_open(upload)
        packs = {pack.number: pack for pack in upload.packs}
        ttl_s = int(self._limits.url_ttl.total_seconds())
        urls = [
            self._store.sign_upload_part(
                self._parts.key(upload, ref.pack), packs[ref.pack].multipart_id, ref.part, origin=origin, ttl_s=ttl_s
            )
            for ref in parts
        ]
        return urls, self._clock.now() + self._limits.url_ttl

    async def get(self, caller: Identity, name: str) -> Upload:
        project, upload_id = parse_upload(name)
        upload = await self._catalog.read(lambda tx: existing_upload(tx, project, upload_id))
        check_owns(caller, upload, write=False)
        return await self._parts.received(upload) if upload.state is UploadState.OPEN else upload

    async def commit(self, caller: Identity, name: str, info: ModelInfo | None) -> Upload:
        """COMMITTING from here on, whatever happens to this process; the answer to a retry is where it stands."""
        project, upload_id = parse_upload(name)
        upload = await self._catalog.read(lambda tx: existing_upload(tx, project, upload_id))
        check_owns(caller, upload, write=True)
        is_model = isinstance(upload.target, ArtifactName) and upload.target.collection is Collection.MODELS
        if info is not None and not is_model:
            raise InvalidArgument("model_info goes with a model's upload only", field="model_info")
        info = validate_model_info(info or ModelInfo(), "model_info") if is_model else None
        if upload.state is UploadState.OPEN and not upload.inline:
            await self._check_all_received(upload)

        def work(tx: Transaction) -> Upload:
            current = existing_upload(tx, project, upload_id, lock=True)
            if current.state in (UploadState.COMMITTING, UploadState.COMMITTED, UploadState.FAILED):
                return current
            check_open(current)
            check_pushes(tx, current.project_uid, current.creator, current.target)
            committing = replace(current, state=UploadState.COMMITTING, info=info)
            tx.uploads.commit(committing)
            tx.audit(audit_row(caller, "CommitUpload", current.name, self._clock.now()))
            return committing

        committed = await self._catalog.run(work)
        self._committing()
        return committed

    async def abort(self, caller: Identity, name: str) -> Upload:
        project, upload_id = parse_upload(name)

        def work(tx: Transaction) -> Upload:
            current = existing_upload(tx, project, upload_id, lock=True)
            # Giving up another's upload can't change what it says, so a person may clean up behind a job.
            check_owns(caller, current, write=False)
            if current.state is UploadState.ABORTED:
                return current
            check_open(current)
            aborted = replace(current, state=UploadState.ABORTED)
            tx.uploads.close(aborted)
            tx.audit(audit_row(caller, "AbortUpload", current.name, self._clock.now()))
            return aborted

        aborted = await self._catalog.run(work)
        self._ended()
        return aborted

    async def insert_inline(
        self,
        caller: Identity,
        project: str,
        target: ArtifactName,
        packs: Sequence[Pack],
        labels: Mapping[str, str],
        key: RequestKey,
        package_kind: PackageKind = PackageKind.UNSAID,
    ) -> Upload:
        """An open upload whose packs the catalog itself stores."""
        check_same_project(project, target.project, "target")
        check_may_push(caller, target)
        check_only_of_packages(package_kind, target, "package_kind")
        labels = validate_labels(labels, "labels")
        return await self._inserted(caller, project, target, "", packs, labels, key, package_kind, inline=True)

    async def _inserted(
        self,
        caller: Identity,
        project: str,
        target: Target,
        base_version: str,
        packs: Sequence[Pack],
        labels: Mapping[str, str],
        key: RequestKey,
        package_kind: PackageKind,
        *,
        inline: bool = False,
    ) -> Upload:
        def work(tx: Transaction) -> Upload:
            owner = existing_project(tx, project, lock=True)
            now = self._clock.now()

            def create() -> str:
                check_pushes(tx, owner.uid, caller.subject, target)
                if isinstance(target, OutputName):
                    check_output_room(target, outputs_of(tx, owner.uid, target.job))
                if isinstance(target, ArtifactName) and (artifact := tx.artifacts.get(target)):
                    agreed_kind(str(target), artifact.kind, package_kind)
                base_name, base = _base(tx, owner.uid, target, base_version)
                upload = Upload(
                    id=new_uid(),
                    project=project,
                    project_uid=owner.uid,
                    target=target,
                    state=UploadState.OPEN,
                    packs=tuple(packs),
                    creator=caller.subject,
                    create_time=now,
                    expire_time=now + self._limits.ttl,
                    base_version=base_name,
                    base_tree=base.uid if base else "",
                    inline=inline,
                    package_kind=package_kind,
                    labels=labels,
                )
                tx.uploads.insert(upload)
                tx.audit(audit_row(caller, "BeginUpload", upload.name, now, key.request_id))
                return upload.id

            return existing_upload(tx, project, tx.once(key, now, create))

        return await self._catalog.run(work)

    async def _check_all_received(self, upload: Upload) -> None:
        try:
            await self._parts.check_all_received(upload)
        except PartsMissing:
            current = await self._catalog.read(lambda tx: existing_upload(tx, upload.project, upload.id))
            # Another CommitUpload may have been faster: then the store has no parts any more, but the whole.
            if current.state is UploadState.OPEN:
                raise

    async def _open(self, caller: Identity, name: str) -> Upload:
        project, upload_id = parse_upload(name)

        def work(tx: Transaction) -> Upload:
            upload = existing_upload(tx, project, upload_id)
            check_owns(caller, upload, write=True)
            check_open(upload)
            if upload.inline:
                raise UploadNotOpen(f"{name} is an inline upload; it has no parts", resource=name)
            return upload

        return await self._catalog.read(work)


def _base(tx: Transaction, project_uid: str, target: Target, base_version: str) -> tuple[str, Tree | None]:
    """The resolved name and the tree of the base; it stays while the upload is under way."""
    at = "upload.base_version"
    if not base_version:
        return "", None
    name = parse_readable(base_version, at)
    if isinstance(name, VersionName):
        if name.artifact != target:
            raise InvalidArgument(f"{at} is no version of {target}", field=at)
        version = existing_version(tx, name)
        resolved, tree = str(version.name), version.tree
    else:
        if type(name) is not type(target) or name.job != target.job:
            raise InvalidArgument(f"{at} is no checkpoint or output of the same job as the target", field=at)
        resolved, tree = str(name), existing_job_tree(tx, project_uid, name, at)
    if tx.trees.get(tree.uid, lock=True) is None:
        raise not_found(base_version, field=at)
    return resolved, tree
