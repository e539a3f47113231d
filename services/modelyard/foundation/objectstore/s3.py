"""Any S3: the store behind `minio`'s client. Its private multipart calls are used here and nowhere else."""

import asyncio
import contextlib
import io
import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.datatypes import Part as MinioPart
from minio.error import InvalidResponseError, S3Error, ServerError
from pydantic import Field, SecretStr

from modelyard.foundation.config import Section
from modelyard.foundation.errors import ModelyardError
from modelyard.foundation.objectstore.store import (
    CHUNK_BYTES,
    ObjectInfo,
    ObjectMissing,
    Part,
    PartsDoNotFit,
    StoreRefused,
    StoreUnavailable,
    UploadMissing,
)

T = TypeVar("T")

_THREADS = 16
_MISSING = frozenset({"NoSuchKey", "NoSuchVersion", "NoSuchObject"})
_BAD_PARTS = frozenset({"InvalidPart", "InvalidPartOrder", "EntityTooSmall", "MalformedXML", "InvalidRequest"})
_REFUSED = frozenset(
    {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "NoSuchBucket", "InvalidBucketName"}
)


class S3Settings(Section):
    endpoint: str
    """"http://host:port" or "https://host": where this process reaches the store."""
    access_key: str
    secret_key: SecretStr
    bucket: str = "modelyard"
    region: str = "us-east-1"
    """Given, so that no call is spent on asking for it, and URLs can be signed without a connection."""
    connect_timeout_s: float = Field(default=5.0, gt=0)
    read_timeout_s: float = Field(default=60.0, gt=0)


class S3Store:
    """ObjectStore on an S3 bucket; calls run on threads of its own."""

    def __init__(self, settings: S3Settings, *, retries: int = 3) -> None:
        self.settings = settings
        self._bucket = settings.bucket
        self._pool = urllib3.PoolManager(
            num_pools=4,
            maxsize=_THREADS,
            timeout=urllib3.Timeout(connect=settings.connect_timeout_s, read=settings.read_timeout_s),
            retries=urllib3.Retry(total=retries, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]),
        )
        self._client = self._minio(settings.endpoint)
        self._signer = lru_cache(maxsize=64)(self._minio)
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="s3")

    def close(self) -> None:
        self._executor.shutdown(wait=True)
        self._pool.clear()

    async def probe(self) -> None:
        if not await self._run("", lambda: self._client.bucket_exists(self._bucket)):
            raise StoreRefused(f"there is no bucket {self._bucket} in the object store", bucket=self._bucket)

    async def ensure_bucket(self) -> None:
        def ensure() -> None:
            if self._client.bucket_exists(self._bucket):
                return
            try:
                self._client.make_bucket(self._bucket, location=self.settings.region)
            except S3Error as error:
                if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                    raise

        await self._run("", ensure)

    async def put(self, key: str, data: bytes) -> str:
        return await self._run(key, lambda: _etag(self._client._put_object(self._bucket, key, data, {}).etag))

    async def stat(self, key: str) -> ObjectInfo:
        return await self._run(key, lambda: _info(self._client.stat_object(self._bucket, key)))

    async def read(self, key: str, offset: int = 0, length: int | None = None) -> bytes:
        def read() -> bytes:
            with self._opened(key, offset, length) as response:
                return response.read()

        return b"" if length == 0 else await self._run(key, read)

    async def stream(self, key: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        if length == 0:
            return
        response = await self._run(key, lambda: self._open(key, offset, length))
        try:
            while chunk := await self._run(key, lambda: response.read(CHUNK_BYTES)):
                yield chunk
        finally:
            # A connection that was not read to its end cannot be used again.
            response.close()
            response.release_conn()

    async def delete(self, key: str) -> None:
        await self._run(key, lambda: self._client.remove_object(self._bucket, key))

    async def list(self, prefix: str) -> AsyncIterator[ObjectInfo]:
        objects = self._client.list_objects(self._bucket, prefix=prefix, recursive=True)

        def page() -> list[ObjectInfo]:
            return [_info(found) for found in itertools.islice(objects, 1000)]

        while infos := await self._run(prefix, page):
            for info in infos:
                yield info

    async def start_multipart(self, key: str) -> str:
        return await self._run(key, lambda: self._client._create_multipart_upload(self._bucket, key, {}))

    async def upload_part(self, key: str, upload_id: str, number: int, data: bytes) -> Part:
        def upload() -> Part:
            etag = self._client._upload_part(self._bucket, key, data, None, upload_id, number)
            return Part(number, _etag(etag), len(data))

        return await self._run(key, upload)

    async def list_parts(self, key: str, upload_id: str) -> Sequence[Part]:
        def list_all() -> list[Part]:
            newest: dict[int, MinioPart] = {}
            marker = 0
            while True:
                page = self._client._list_parts(
                    self._bucket, key, upload_id, max_parts=1000, part_number_marker=str(marker)
                )
                for part in page.parts:
                    known = newest.get(part.part_number)
                    if known is None or _age(part) >= _age(known):
                        newest[part.part_number] = part
                if not page.is_truncated or not page.parts:
                    return [Part(number, _etag(part.etag), part.size or 0) for number, part in sorted(newest.items())]
                marker = page.parts[-1].part_number

        return await self._run(key, list_all)

    async def complete_multipart(self, key: str, upload_id: str, parts: Sequence[Part]) -> str:
        chosen = [MinioPart(part.number, part.etag) for part in parts]

        def complete() -> str:
            result = self._client._complete_multipart_upload(self._bucket, key, upload_id, chosen)
            if not result.etag:
                # S3 may answer 200 and an error in the body, when it found out late.
                raise StoreUnavailable(f"the store did not say that it completed {key}; look whether it is there")
            return _etag(result.etag)

        return await self._run(key, complete)

    async def abort_multipart(self, key: str, upload_id: str) -> None:
        with contextlib.suppress(UploadMissing):
            await self._run(key, lambda: self._client._abort_multipart_upload(self._bucket, key, upload_id))

    def sign_upload_part(self, key: str, upload_id: str, number: int, *, origin: str, ttl_s: int) -> str:
        return self._signer(origin).get_presigned_url(
            "PUT",
            self._bucket,
            key,
            expires=timedelta(seconds=ttl_s),
            extra_query_params={"partNumber": str(number), "uploadId": upload_id},
        )

    def sign_read(self, key: str, *, origin: str, ttl_s: int) -> str:
        return self._signer(origin).get_presigned_url("GET", self._bucket, key, expires=timedelta(seconds=ttl_s))

    def _minio(self, origin: str) -> Minio:
        """A client of the store under this name; signing with it needs no connection."""
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError(f"an origin looks like http://host:port; got {origin!r}")
        return Minio(
            parts.netloc,
            access_key=self.settings.access_key,
            secret_key=self.settings.secret_key.get_secret_value(),
            secure=parts.scheme == "https",
            region=self.settings.region,
            http_client=self._pool,
        )

    def _open(self, key: str, offset: int, length: int | None) -> urllib3.BaseHTTPResponse:
        try:
            return self._client.get_object(self._bucket, key, offset=offset, length=length or 0)
        except S3Error as error:
            if error.code == "InvalidRange":
                return urllib3.HTTPResponse(io.BytesIO(), status=206, preload_content=False)
            raise

    @contextlib.contextmanager
    def _opened(self, key: str, offset: int, length: int | None) -> Iterator[urllib3.BaseHTTPResponse]:
        response = self._open(key, offset, length)
        try:
            yield response
        finally:
            response.close()
            response.release_conn()

    async def _run(self, key: str, call: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, call)
        except S3Error as error:
            raise _translated(error, key) from error
        except (urllib3.exceptions.HTTPError, InvalidResponseError, ServerError, OSError) as error:
            raise StoreUnavailable("the object store cannot be reached; try again") from error


def _translated(error: S3Error, key: str) -> ModelyardError:
    code = str(error.code)
    if code in _MISSING:
        return ObjectMissing(f"there is no object {key} in the store", resource=key)
    if code == "NoSuchUpload":
        return UploadMissing(f"the store has no such upload for {key}: it was completed or aborted", resource=key)
    if code in _BAD_PARTS:
        return PartsDoNotFit(f"the parts of {key} do not make an object: {code}", resource=key, code=code)
    if code in _REFUSED:
        return StoreRefused(f"the object store refused: {code}; check its endpoint, keys and bucket", code=code)
    return StoreUnavailable(f"the object store answered {code}; try again", code=code)


def _age(part: MinioPart) -> datetime:
    return part.last_modified or datetime.min.replace(tzinfo=UTC)


def _info(found: Any) -> ObjectInfo:
    return ObjectInfo(found.object_name, found.size or 0, _etag(found.etag), found.last_modified)


def _etag(text: str | None) -> str:
    return (text or "").replace('"', "")
