"""Taking away what nothing needs: uploads past their time, trees no version uses, packs no tree uses."""

import logging
from datetime import timedelta

from modelyard.catalog.domain.artifacts import Tree
from modelyard.catalog.service.keys import manifest_key, pack_key
from modelyard.catalog.service.parts import few_at_once
from modelyard.catalog.service.ports import Catalog, StoredPack, Transaction
from modelyard.foundation.clock import Clock
from modelyard.foundation.objectstore.store import ObjectStore

log = logging.getLogger(__name__)

BATCH = 200
REQUESTS_KEPT = timedelta(days=7)


class Collector:
    """`grace` is how long a tree outlives its last user, so that whoever is reading it by signed URLs can finish."""

    def __init__(self, catalog: Catalog, store: ObjectStore, clock: Clock, grace: timedelta) -> None:
        self._catalog = catalog
        self._store = store
        self._clock = clock
        self._grace = grace

    async def step(self) -> bool:
        """True when there may be more to take away at once."""
        now = self._clock.now()

        def look(tx: Transaction) -> None:
            for name in tx.uploads.expire(now):
                log.info("upload expired", extra={"upload": name})
            tx.garbage.mark(now)
            tx.garbage.forget_requests(now - REQUESTS_KEPT)

        await self._catalog.run(look)
        trees = await self._catalog.run(lambda tx: tx.garbage.condemn(now - self._grace, BATCH))
        await few_at_once(self._delete_tree, trees)
        packs = await self._catalog.read(lambda tx: tx.garbage.packs(BATCH))
        await few_at_once(self._delete_pack, packs)
        if packs:
            await self._catalog.run(lambda tx: tx.garbage.forget_packs([pack.id for pack in packs]))
        if trees or packs:
            log.info("garbage collected", extra={"trees": len(trees), "packs": len(packs)})
        return len(trees) == BATCH or len(packs) == BATCH

    async def _delete_tree(self, tree: Tree) -> None:
        await self._store.delete(manifest_key(tree.project_uid, tree.manifest_sha256))
        await self._catalog.run(lambda tx: tx.garbage.forget_tree(tree))

    async def _delete_pack(self, pack: StoredPack) -> None:
        key = pack_key(pack.project_uid, pack.id)
        if pack.multipart_id:
            await self._store.abort_multipart(key, pack.multipart_id)
        await self._store.delete(key)
