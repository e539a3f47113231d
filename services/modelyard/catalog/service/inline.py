"""UploadInline: a small version in one call, down the same path as a large one."""

import hashlib
from collections.abc import Mapping, Sequence

from modelyard.catalog.domain.errors import TreeTooLarge, TreeWrong
from modelyard.catalog.domain.kinds import PackageKind
from modelyard.catalog.domain.names import ArtifactName
from modelyard.catalog.domain.uploads import Pack, Upload, UploadState
from modelyard.catalog.service.commits import Committer
from modelyard.catalog.service.keys import pack_key
from modelyard.catalog.service.ports import RequestKey
from modelyard.catalog.service.uploads import UploadService
from modelyard.foundation.auth.identity import Identity
from modelyard.foundation.errors import InvalidArgument
from modelyard.foundation.objectstore.store import ObjectStore
from modelyard.tree import File, TreeError, encode_manifest, plan_packs, validate_paths

MAX_BYTES = 1 << 20
MAX_FILES = 1000
WAIT_S = 30.0


class InlineService:
    def __init__(self, uploads: UploadService, committer: Committer, store: ObjectStore) -> None:
        self._uploads = uploads
        self._committer = committer
        self._store = store

    async def upload(
        self,
        caller: Identity,
        project: str,
        target: ArtifactName,
        files: Sequence[tuple[str, bytes]],
        labels: Mapping[str, str],
        key: RequestKey,
        package_kind: PackageKind = PackageKind.UNSAID,
    ) -> Upload:
        """The upload, committed unless the store is slow; then GetUpload shows the rest."""
        contents = _checked(files)
        objects, packs = _packed(contents)
        upload = await self._uploads.insert_inline(caller, project, target, packs, labels, key, package_kind)
        if upload.state is UploadState.OPEN:
            for pack in upload.packs:
                await self._store.put(pack_key(upload.project_uid, upload.pack_id(pack.number)), objects[pack.number])
            upload = await self._uploads.commit(caller, upload.name, None)
        if upload.state is UploadState.COMMITTING:
            upload = await self._committer.wait(upload, WAIT_S)
        return upload


def _checked(files: Sequence[tuple[str, bytes]]) -> dict[str, bytes]:
    if not 1 <= len(files) <= MAX_FILES:
        raise InvalidArgument(f"files has {len(files)} entries; send 1 to {MAX_FILES}", field="files")
    total = sum(len(content) for _, content in files)
    if total > MAX_BYTES:
        raise TreeTooLarge(
            f"files have {total} bytes together; at most {MAX_BYTES} go inline, more with BeginUpload", field="files"
        )
    try:
        validate_paths(path for path, _ in files)
    except TreeError as error:
        raise TreeWrong(f"files: {error}", field="files", cause=error.reason) from None
    return dict(files)


def _packed(contents: Mapping[str, bytes]) -> tuple[dict[int, bytes], list[Pack]]:
    """The objects by number, and the packs that declare them; the manifest is the last."""
    plan = plan_packs(
        File(path, len(content), hashlib.sha256(content).hexdigest()) for path, content in contents.items()
    )
    objects = {int(pack.pack): b"".join(contents[entry.path] for entry in pack.files) for pack in plan.packs}
    manifest = len(objects)
    packs = [Pack(number, len(data)) for number, data in objects.items()]
    objects[manifest] = encode_manifest(plan.entries)
    return objects, [*packs, Pack(manifest, len(objects[manifest]), manifest=True)]
