"""The object store as the catalog sees it: bytes under keys of one bucket."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from modelyard.foundation.errors import FailedPrecondition, NotFound, Unavailable

CHUNK_BYTES = 1024 * 1024
MIN_PART_BYTES = 5 * 1024 * 1024
"""Smallest part of a multipart upload, the last one excepted."""


class ObjectMissing(NotFound):
    reason = "OBJECT_MISSING"


class UploadMissing(NotFound):
    """A multipart upload that was completed, aborted or never begun."""

    reason = "STORE_UPLOAD_MISSING"


class PartsDoNotFit(FailedPrecondition):
    """Completing with parts that were not uploaded, in another order, or too small."""

    reason = "PARTS_DO_NOT_FIT"


class StoreUnavailable(Unavailable):
    reason = "OBJECT_STORE_UNAVAILABLE"


class StoreRefused(FailedPrecondition):
    """The store does not accept our credentials, or there is no such bucket."""

    reason = "OBJECT_STORE_REFUSED"


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    key: str
    size: int
    etag: str
    modify_time: datetime | None


@dataclass(frozen=True, slots=True)
class Part:
    number: int
    """From 1."""
    etag: str
    size: int


class ObjectStore(Protocol):
    """Keys are relative paths in the bucket. Errors: the classes above."""

    async def probe(self) -> None:
        """Returns when the store answers and takes our credentials."""

    async def ensure_bucket(self) -> None: ...

    async def put(self, key: str, data: bytes) -> str:
        """Stores an object, replacing one that was there; returns its etag."""

    async def stat(self, key: str) -> ObjectInfo: ...

    async def read(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes from `offset`, `length` of them or to the end; fewer when the object ends before."""

    def stream(self, key: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The same in chunks of about CHUNK_BYTES."""

    async def delete(self, key: str) -> None:
        """A key that is not there is deleted already."""

    def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        """All objects whose key begins with `prefix`, by key."""

    async def start_multipart(self, key: str) -> str:
        """Returns the upload's ID."""

    async def upload_part(self, key: str, upload_id: str, number: int, data: bytes) -> Part: ...

    async def list_parts(self, key: str, upload_id: str) -> Sequence[Part]:
        """One a number, by number.

        Of a part that was sent more than once S3 keeps the last. SeaweedFS keeps all of them; the newest is given, and
        within a second any of them: who needs to know checks the bytes.
        """

    async def complete_multipart(self, key: str, upload_id: str, parts: Sequence[Part]) -> str:
        """Makes the object of the parts, in the order given; its signed part URLs are dead from then on."""

    async def abort_multipart(self, key: str, upload_id: str) -> None:
        """An upload that is not there is aborted already."""

    def sign_upload_part(self, key: str, upload_id: str, number: int, *, origin: str, ttl_s: int) -> str:
        """A URL that anybody may PUT this part to, for `ttl_s` seconds.

        `origin` ("http://host:port") is the name by which the client will reach the store: the signature covers it.
        """

    def sign_read(self, key: str, *, origin: str, ttl_s: int) -> str:
        """A URL that anybody may GET (with ranges) for `ttl_s` seconds."""
