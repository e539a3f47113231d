"""The parts of an upload's packs, as the store has them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from modelyard.catalog.domain.errors import PartsMissing
from modelyard.catalog.domain.uploads import Pack, Part, Upload, missing_part
from modelyard.catalog.service.existing import existing_upload
from modelyard.catalog.service.keys import pack_key
from modelyard.catalog.service.ports import Catalog, Transaction
from modelyard.foundation.objectstore.store import ObjectStore, UploadMissing
from modelyard.foundation.objectstore.store import Part as StoredPart

_STORE_CALLS_AT_ONCE = 8

T = TypeVar("T")
R = TypeVar("R")


class UploadParts:
    def __init__(self, catalog: Catalog, store: ObjectStore) -> None:
        self._catalog = catalog
        self._store = store

    async def started(self, upload: Upload, packs: Sequence[Pack]) -> Upload:
        """With a multipart upload for each of `packs`; of two that start one at the same time, one is kept."""
        missing = [pack for pack in packs if not pack.multipart_id]
        if not missing:
            return upload

        async def start(pack: Pack) -> tuple[int, str]:
            return pack.number, await self._store.start_multipart(self.key(upload, pack.number))

        started = await few_at_once(start, missing)

        def keep(tx: Transaction) -> list[tuple[int, str]]:
            return [(number, id_) for number, id_ in started if not tx.uploads.begin_pack(upload, number, id_)]

        for number, multipart_id in await self._catalog.run(keep):
            await self._store.abort_multipart(self.key(upload, number), multipart_id)
        return await self._catalog.read(lambda tx: existing_upload(tx, upload.project, upload.id))

    async def received(self, upload: Upload) -> Upload:
        """With the parts that the store has."""

        async def look(pack: Pack) -> Pack:
            return replace(pack, received=tuple(await self._listed(upload, pack)))

        return replace(upload, packs=tuple(await few_at_once(look, upload.packs)))

    async def check_all_received(self, upload: Upload) -> None:
        received = await self.received(upload)
        for pack in received.packs:
            part = missing_part(pack, pack.received)
            if part is not None:
                raise PartsMissing(
                    f"part {part} of pack {pack.number} has not arrived in the size that was declared; "
                    "send it (GetUpload shows what is there), then commit again",
                    resource=upload.name,
                    pack=str(pack.number),
                    part=str(part),
                )

    async def _listed(self, upload: Upload, pack: Pack) -> list[Part]:
        if not pack.multipart_id:
            return []
        try:
            parts = await self._store.list_parts(self.key(upload, pack.number), pack.multipart_id)
        except UploadMissing:
            # It was completed or aborted since the upload was read: then it is not open any more either.
            return []
        return [Part(part.number, part.etag, part.size) for part in one_each(parts)]

    def key(self, upload: Upload, number: int) -> str:
        return pack_key(upload.project_uid, upload.pack_id(number))


async def few_at_once(work: Callable[[T], Awaitable[R]], items: Sequence[T]) -> list[R]:
    """The results in the order of `items`, with only a few calls to the store at a time."""
    gate = asyncio.Semaphore(_STORE_CALLS_AT_ONCE)

    async def one(item: T) -> R:
        async with gate:
            return await work(item)

    return list(await asyncio.gather(*(one(item) for item in items)))


def one_each(parts: Sequence[StoredPart]) -> list[StoredPart]:
    """One part of each number: SeaweedFS lists a part that was sent again once more. The hashes decide in the end."""
    return list({part.number: part for part in parts}.values())
