"""Uploads in SQL."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from modelyard.catalog.adapters.model_info_json import info_of, info_to_json
from modelyard.catalog.adapters.schema import packs, projects, uploads
from modelyard.catalog.domain.artifacts import Tree
from modelyard.catalog.domain.kinds import PackageKind
from modelyard.catalog.domain.names import parse_target
from modelyard.catalog.domain.uploads import Pack, Upload, UploadError, UploadState

_OPEN, _COMMITTING = UploadState.OPEN.value, UploadState.COMMITTING.value


class SqlUploads:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, project: str, upload: str, *, lock: bool = False) -> Upload | None:
        query = _uploads().where(uploads.c.id == upload, projects.c.id == project)
        if lock:
            query = query.with_for_update(of=uploads)
        row = self._connection.execute(query).one_or_none()
        return self._with_packs([row])[0] if row else None

    def insert(self, upload: Upload) -> None:
        values = {
            "id": upload.id,
            "project_uid": upload.project_uid,
            "target": str(upload.target),
            "state": upload.state.value,
            "creator": upload.creator,
            "base_version": upload.base_version,
            "base_tree": upload.base_tree,
            "tree_uid": "",
            "inline": upload.inline,
            "package_kind": upload.package_kind,
            "labels": dict(upload.labels),
            "info": info_to_json(upload.info),
            "verified_bytes": 0,
            "version": "",
            "unchanged": False,
            "create_time": upload.create_time,
            "expire_time": upload.expire_time,
        }
        self._connection.execute(insert(uploads).values(values))
        rows = [
            {
                "id": upload.pack_id(pack.number),
                "project_uid": upload.project_uid,
                "upload_id": upload.id,
                "number": pack.number,
                "size_bytes": pack.size,
                "manifest": pack.manifest,
                "multipart_id": "",
            }
            for pack in upload.packs
        ]
        self._connection.execute(insert(packs), rows)

    def begin_pack(self, upload: Upload, number: int, multipart_id: str) -> bool:
        begun = (
            update(packs)
            .where(packs.c.id == upload.pack_id(number), packs.c.multipart_id == "")
            .values(multipart_id=multipart_id)
        )
        return self._connection.execute(begun).rowcount == 1

    def committing(self, limit: int) -> list[Upload]:
        query = _uploads().where(uploads.c.state == _COMMITTING).order_by(uploads.c.create_time).limit(limit)
        return self._with_packs(list(self._connection.execute(query)))

    def commit(self, upload: Upload) -> None:
        self._connection.execute(
            update(uploads)
            .where(uploads.c.id == upload.id, uploads.c.state == _OPEN)
            .values(state=upload.state.value, info=info_to_json(upload.info))
        )

    def close(self, upload: Upload) -> None:
        error = upload.error
        self._connection.execute(
            update(uploads)
            .where(uploads.c.id == upload.id)
            .values(
                state=upload.state.value,
                version=upload.version,
                unchanged=upload.unchanged,
                verified_bytes=upload.total_bytes if upload.state is UploadState.COMMITTED else upload.verified_bytes,
                error=error
                and {
                    "kind": error.kind,
                    "reason": error.reason,
                    "message": error.message,
                    "field": error.field,
                    "facts": dict(error.facts),
                },
            )
        )

    def use_tree(self, upload: Upload, tree: Tree) -> None:
        self._connection.execute(update(uploads).where(uploads.c.id == upload.id).values(tree_uid=tree.uid))

    def progress(self, upload: Upload, verified_bytes: int) -> None:
        self._connection.execute(
            update(uploads)
            .where(uploads.c.id == upload.id, uploads.c.state == _COMMITTING)
            .values(verified_bytes=verified_bytes)
        )

    def expire(self, now: datetime) -> list[str]:
        expired = (
            update(uploads)
            .where(uploads.c.state == _OPEN, uploads.c.expire_time <= now)
            .values(state=UploadState.EXPIRED.value)
            .returning(uploads.c.id)
        )
        return list(self._connection.execute(expired).scalars())

    def _with_packs(self, rows: list[Row[Any]]) -> list[Upload]:
        found: dict[str, list[Pack]] = {row.id: [] for row in rows}
        query = select(packs).where(packs.c.upload_id.in_(found)).order_by(packs.c.upload_id, packs.c.number)
        for row in self._connection.execute(query):
            found[row.upload_id].append(Pack(row.number, row.size_bytes, row.manifest, row.multipart_id))
        return [_upload(row, tuple(found[row.id])) for row in rows]


def _uploads() -> Any:
    """Only those of projects that exist: a project of the same name made later has nothing to do with them."""
    return select(uploads, projects.c.id.label("project")).join(projects, projects.c.uid == uploads.c.project_uid)


def _upload(row: Row[Any], its_packs: tuple[Pack, ...]) -> Upload:
    return Upload(
        id=row.id,
        project=row.project,
        project_uid=row.project_uid,
        target=parse_target(row.target, "target"),
        state=UploadState(row.state),
        packs=its_packs,
        creator=row.creator,
        create_time=row.create_time,
        expire_time=row.expire_time,
        base_version=row.base_version,
        base_tree=row.base_tree,
        inline=row.inline,
        package_kind=PackageKind(row.package_kind),
        labels=row.labels,
        info=info_of(row.info),
        verified_bytes=row.verified_bytes,
        version=row.version,
        unchanged=row.unchanged,
        error=UploadError(**row.error) if row.error else None,
    )
