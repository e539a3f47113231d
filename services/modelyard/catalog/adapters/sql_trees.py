"""Trees and packs in SQL, and which of them nothing needs any more."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, exists, insert, or_, select, update

from modelyard.catalog.adapters.schema import (
    checkpoints,
    outputs,
    packs,
    requests,
    tree_packs,
    trees,
    uploads,
    versions,
)
from modelyard.catalog.domain.artifacts import Tree
from modelyard.catalog.domain.errors import CollectionBusy
from modelyard.catalog.service.ports import StoredPack
from modelyard.foundation.sql.requests import forget

UNDER_WAY = ("OPEN", "COMMITTING")
_ROWS_A_STATEMENT = 500


class SqlTrees:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, uid: str, *, lock: bool = False) -> Tree | None:
        query = select(trees).where(trees.c.uid == uid, trees.c.condemned.is_(False))
        if lock:
            query = query.with_for_update(read=True)
        row = self._connection.execute(query).one_or_none()
        return tree_of(row, uid=row.uid) if row else None

    def find(self, project_uid: str, manifest_sha256: str) -> Tree | None:
        query = select(trees).where(trees.c.project_uid == project_uid, trees.c.manifest_sha256 == manifest_sha256)
        row = self._connection.execute(query.with_for_update(read=True)).one_or_none()
        if row is None:
            return None
        if row.condemned:
            raise CollectionBusy(f"tree {row.digest} is just being collected; the next try makes it again")
        return tree_of(row, uid=row.uid)

    def insert(self, tree: Tree, packs: Collection[str]) -> None:
        values = {
            "uid": tree.uid,
            "project_uid": tree.project_uid,
            "digest": tree.digest,
            "manifest_sha256": tree.manifest_sha256,
            "manifest_bytes": tree.manifest_bytes,
            "size_bytes": tree.size_bytes,
            "file_count": tree.file_count,
            "condemned": False,
        }
        self._connection.execute(insert(trees).values(values))
        if packs:
            rows = [{"tree_uid": tree.uid, "pack_id": pack} for pack in sorted(packs)]
            self._connection.execute(insert(tree_packs), rows)

    def packs(self, tree: Tree) -> list[StoredPack]:
        query = (
            select(packs)
            .join(tree_packs, tree_packs.c.pack_id == packs.c.id)
            .where(tree_packs.c.tree_uid == tree.uid)
            .order_by(packs.c.id)
        )
        return [_pack(row) for row in self._connection.execute(query)]


class SqlGarbage:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def mark(self, now: datetime) -> None:
        used = _used()
        self._connection.execute(update(trees).where(trees.c.unused_time.is_(None), ~used).values(unused_time=now))
        self._connection.execute(update(trees).where(trees.c.unused_time.is_not(None), used).values(unused_time=None))

    def condemn(self, before: datetime, limit: int) -> list[Tree]:
        candidates = (
            select(trees.c.uid)
            .where(or_(trees.c.condemned, and_(trees.c.unused_time <= before, ~_used())))
            .order_by(trees.c.uid)
            .limit(limit)
            .with_for_update()
        )
        uids = list(self._connection.execute(candidates).scalars())
        # The rows are locked now: whoever used one of them until then is seen by this second look.
        still_unused = or_(trees.c.condemned, ~_used())
        condemned = update(trees).where(trees.c.uid.in_(uids), still_unused).values(condemned=True).returning(trees)
        return [tree_of(row, uid=row.uid) for row in self._connection.execute(condemned)]

    def forget_tree(self, tree: Tree) -> None:
        self._connection.execute(delete(tree_packs).where(tree_packs.c.tree_uid == tree.uid))
        self._connection.execute(delete(trees).where(trees.c.uid == tree.uid))

    def packs(self, limit: int) -> list[StoredPack]:
        query = (
            select(packs)
            .join(uploads, uploads.c.id == packs.c.upload_id)
            .where(uploads.c.state.not_in(UNDER_WAY), ~exists().where(tree_packs.c.pack_id == packs.c.id))
            .order_by(packs.c.id)
            .limit(limit)
        )
        return [_pack(row) for row in self._connection.execute(query)]

    def forget_packs(self, ids: Collection[str]) -> None:
        ordered = sorted(ids)
        for start in range(0, len(ordered), _ROWS_A_STATEMENT):
            self._connection.execute(delete(packs).where(packs.c.id.in_(ordered[start : start + _ROWS_A_STATEMENT])))

    def forget_requests(self, before: datetime) -> None:
        forget(self._connection, requests, before)


def tree_of(row: Row[Any], *, uid: str) -> Tree:
    return Tree(
        uid=uid,
        project_uid=row.project_uid,
        digest=row.digest,
        manifest_sha256=row.manifest_sha256,
        manifest_bytes=row.manifest_bytes,
        size_bytes=row.size_bytes,
        file_count=row.file_count,
    )


def _used() -> ColumnElement[bool]:
    """A version, a checkpoint, an output, or an upload under way (as its base, or as what it is about to publish)."""
    return or_(
        exists().where(versions.c.tree_uid == trees.c.uid),
        exists().where(checkpoints.c.tree_uid == trees.c.uid),
        exists().where(outputs.c.tree_uid == trees.c.uid),
        exists().where(
            uploads.c.state.in_(UNDER_WAY), or_(uploads.c.base_tree == trees.c.uid, uploads.c.tree_uid == trees.c.uid)
        ),
    )


def _pack(row: Row[Any]) -> StoredPack:
    return StoredPack(row.id, row.project_uid, row.size_bytes, row.multipart_id)
