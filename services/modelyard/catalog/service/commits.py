"""The loop behind CommitUpload: verify what arrived, then make it visible in one transaction.

Every step can be repeated: after a kill at any point the next start takes the upload up again from the beginning.
"""

import asyncio
import contextlib
import hashlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from modelyard.catalog.domain.artifacts import Tree
from modelyard.catalog.domain.errors import CommitBroke, PackWrong, TreeWrong
from modelyard.catalog.domain.uploads import (
    Pack,
    Span,
    Upload,
    UploadState,
    canonical_entries,
    check_stored,
    failure,
    missing_part,
    place,
    spans_by_pack,
)
from modelyard.catalog.domain.uploads import Part as Received
from modelyard.catalog.service.content import PackCheck
from modelyard.catalog.service.existing import existing_upload
from modelyard.catalog.service.files import TreeReader
from modelyard.catalog.service.keys import manifest_key, pack_key
from modelyard.catalog.service.parts import few_at_once, one_each
from modelyard.catalog.service.ports import Catalog, Transaction
from modelyard.catalog.service.publication import publish
from modelyard.foundation.clock import Clock
from modelyard.foundation.errors import Kind, ModelyardError
from modelyard.foundation.ids import new_uid
from modelyard.foundation.objectstore.store import (
    ObjectMissing,
    ObjectStore,
    PartsDoNotFit,
    StoreRefused,
    UploadMissing,
)
from modelyard.tree import Entry, Manifest, TreeError, encode_manifest

log = logging.getLogger(__name__)

UPLOADS_AT_ONCE = 8
PROGRESS_EVERY_S = 1.0
_FINAL = frozenset(
    {Kind.INVALID, Kind.NOT_FOUND, Kind.PRECONDITION, Kind.CONFLICT, Kind.DENIED, Kind.EXHAUSTED, Kind.DATA_LOSS}
)
"""Kinds of error that another try does not change."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an upload's manifest says, once it fits the packs and the base."""

    manifest: bytes
    """Canonical: every pack under its lasting name."""
    tree: Tree
    packs: frozenset[str]
    """All that the tree's entries lie in."""
    spans: dict[str, list[Span]]
    """What to hash, by pack; only packs of this upload."""


class Committer:
    def __init__(
        self, catalog: Catalog, store: ObjectStore, reader: TreeReader, clock: Clock, *, keep_checkpoints: int
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._reader = reader
        self._clock = clock
        self._keep_checkpoints = keep_checkpoints
        self._verified: dict[str, int] = {}
        self._told: dict[str, float] = {}
        self._ended = asyncio.Condition()
        self._woken = asyncio.Event()
        self._settling: dict[str, asyncio.Task[None]] = {}

    def wake(self) -> None:
        """There is a new upload to commit."""
        self._woken.set()

    async def step(self) -> bool:
        """Takes up uploads that are committing, oldest first, and returns when the first of them is settled, or at a
        `wake`: a large one holds up nobody. True when there may be more to do."""
        self._woken.clear()
        uploads = await self._catalog.read(lambda tx: tx.uploads.committing(2 * UPLOADS_AT_ONCE))
        for upload in uploads:
            if upload.id not in self._settling and len(self._settling) < UPLOADS_AT_ONCE:
                self._settling[upload.id] = asyncio.create_task(self._settle(upload), name=upload.name)
        if not self._settling:
            return False
        woken = asyncio.create_task(self._woken.wait())
        try:
            await asyncio.wait((woken, *self._settling.values()), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await self._cancel()
            raise
        finally:
            woken.cancel()
        await self._collect()
        return True

    async def _collect(self) -> None:
        """Lets go of tasks that have ended; raises what one of them raised."""
        ended = {id_: task for id_, task in self._settling.items() if task.done()}
        for id_ in ended:
            del self._settling[id_]
        async with self._ended:
            self._ended.notify_all()
        errors = [error for task in ended.values() if (error := task.exception())]
        if errors:
            raise errors[0]

    async def _cancel(self) -> None:
        for task in self._settling.values():
            task.cancel()
        await asyncio.gather(*self._settling.values(), return_exceptions=True)
        self._settling.clear()

    async def wait(self, upload: Upload, timeout_s: float) -> Upload:
        """The upload once it is settled, or as it is after `timeout_s`."""
        current = upload
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s), self._ended:
                while (current := await self._current(upload)).state is UploadState.COMMITTING:
                    await self._ended.wait()
        return current

    async def _current(self, upload: Upload) -> Upload:
        return await self._catalog.read(lambda tx: existing_upload(tx, upload.project, upload.id))

    async def _settle(self, upload: Upload) -> None:
        """COMMITTED, or FAILED where trying again is of no use; what is left is the loop's to repeat."""
        try:
            await self._commit(upload)
        except StoreRefused:
            raise
        except ModelyardError as error:
            if error.kind not in _FINAL:
                raise
            log.info("upload failed", extra={"upload": upload.name, "reason": error.reason, "error": error.message})
            await self._fail(upload, error)
        except Exception:
            # Nobody knows what it is, so it might come again for ever and hold up all others.
            log.exception("upload failed", extra={"upload": upload.name})
            await self._fail(upload, CommitBroke(f"something broke while {upload.name} was committed; push again"))
        finally:
            self._verified.pop(upload.id, None)
            self._told.pop(upload.id, None)

    async def _fail(self, upload: Upload, error: ModelyardError) -> None:
        def work(tx: Transaction) -> None:
            current = existing_upload(tx, upload.project, upload.id, lock=True)
            if current.state is UploadState.COMMITTING:
                tx.uploads.close(replace(current, state=UploadState.FAILED, error=failure(error)))

        await self._catalog.run(work)

    async def _commit(self, upload: Upload) -> None:
        await few_at_once(lambda pack: self._complete(upload, pack), upload.packs)
        plan = await self._plan(upload)
        tree = await self._catalog.run(lambda tx: self._hold(tx, upload, plan))
        for pack, spans in plan.spans.items():
            await self._verify(upload, pack, spans)
        await self._store.put(manifest_key(upload.project_uid, tree.manifest_sha256), plan.manifest)
        await self._catalog.run(
            lambda tx: publish(tx, upload, tree, now=self._clock.now(), keep_checkpoints=self._keep_checkpoints)
        )
        log.info("upload committed", extra={"upload": upload.name, "digest": tree.digest, "files": tree.file_count})

    async def _complete(self, upload: Upload, pack: Pack) -> None:
        """Makes the object of its parts, unless that was done before; it has the declared size then."""
        key = pack_key(upload.project_uid, upload.pack_id(pack.number))
        if pack.multipart_id:
            try:
                parts = one_each(await self._store.list_parts(key, pack.multipart_id))
                missing = missing_part(pack, [Received(part.number, part.etag, part.size) for part in parts])
                if missing is not None:
                    raise PackWrong(
                        f"part {missing} of pack {pack.number} is not there in the size that was declared",
                        pack=str(pack.number),
                        part=str(missing),
                    )
                await self._store.complete_multipart(key, pack.multipart_id, parts[: pack.part_count])
            except UploadMissing:
                # Completed before a kill, or by another catalog: the size below tells.
                log.debug("multipart is gone", extra={"upload": upload.name, "pack": pack.number})
            except PartsDoNotFit as error:
                raise PackWrong(f"the parts of pack {pack.number} make no object: {error.message}") from error
        try:
            stored: int | None = (await self._store.stat(key)).size
        except ObjectMissing:
            stored = None
        check_stored(upload, pack, stored)

    async def _plan(self, upload: Upload) -> Plan:
        data = await self._store.read(pack_key(upload.project_uid, upload.pack_id(upload.manifest.number)))
        base_tree = await self._catalog.read(lambda tx: tx.trees.get(upload.base_tree)) if upload.base_tree else None
        base = await self._reader.manifest(base_tree) if base_tree else b""
        return await asyncio.to_thread(_planned, upload, data, base)

    def _hold(self, tx: Transaction, upload: Upload, plan: Plan) -> Tree:
        """The tree's row, before its manifest is written: garbage collection leaves it alone from here on."""
        existing_upload(tx, upload.project, upload.id, lock=True)
        tree = tx.trees.find(upload.project_uid, plan.tree.manifest_sha256)
        if tree is None:
            tree = plan.tree
            tx.trees.insert(tree, plan.packs)
        tx.uploads.use_tree(upload, tree)
        return tree

    async def _verify(self, upload: Upload, pack: str, spans: Sequence[Span]) -> None:
        check = PackCheck(pack, spans)
        async for chunk in self._store.stream(pack_key(upload.project_uid, pack)):
            await asyncio.to_thread(check.feed, chunk)
            await self._progress(upload, len(chunk))
        check.end()

    async def _progress(self, upload: Upload, fresh: int) -> None:
        verified = self._verified[upload.id] = self._verified.get(upload.id, 0) + fresh
        now = time.monotonic()
        if now - self._told.setdefault(upload.id, now) >= PROGRESS_EVERY_S:
            self._told[upload.id] = now
            await self._catalog.run(lambda tx: tx.uploads.progress(upload, verified))


def _planned(upload: Upload, data: bytes, base: bytes) -> Plan:
    try:
        entries = Manifest.from_bytes(data).verify()
        places = {place(entry) for entry in Manifest.from_bytes(base).entries()} if base else set()
    except TreeError as error:
        raise TreeWrong(f"the manifest of {upload.name} is wrong: {error}", cause=error.reason) from None
    canonical = canonical_entries(upload, entries, places)
    own = {upload.pack_id(pack.number) for pack in upload.packs if not pack.manifest}
    used = frozenset(entry.pack for entry in canonical if entry.pack)
    spans = spans_by_pack(canonical, own & used)
    manifest = encode_manifest(canonical)
    return Plan(manifest, _tree(upload, canonical, manifest), used, spans)


def _tree(upload: Upload, entries: Sequence[Entry], manifest: bytes) -> Tree:
    read = Manifest.from_bytes(manifest)
    return Tree(
        uid=new_uid(),
        project_uid=upload.project_uid,
        digest=read.digest,
        manifest_sha256=hashlib.sha256(manifest).hexdigest(),
        manifest_bytes=len(manifest),
        size_bytes=sum(entry.size for entry in entries),
        file_count=len(entries),
    )
