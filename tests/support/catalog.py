"""A catalog on a socket, and a client that pushes without the SDK."""

import asyncio
import hashlib
import http.client
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
from pydantic import SecretStr

from modelyard.api.catalog.v1 import (
    dataset_service_pb2_grpc,
    execution_pb2,
    file_service_pb2,
    file_service_pb2_grpc,
    lineage_service_pb2,
    lineage_service_pb2_grpc,
    model_pb2,
    model_service_pb2_grpc,
    package_pb2,
    package_service_pb2_grpc,
    project_service_pb2_grpc,
    token_service_pb2_grpc,
    upload_pb2,
    upload_service_pb2,
    upload_service_pb2_grpc,
)
from modelyard.catalog.adapters.sql_catalog import SCHEMA, SqlCatalog
from modelyard.catalog.policy import RULES
from modelyard.catalog.settings import CatalogSettings
from modelyard.catalog.wiring import Services, build, serve
from modelyard.foundation.auth.credentials import FixedToken
from modelyard.foundation.clock import Clock, SystemClock
from modelyard.foundation.config import ChannelSettings, IdentitySettings, ListenSettings, SqlSettings
from modelyard.foundation.objectstore.s3 import S3Settings, S3Store
from modelyard.foundation.rpc.channel import connect
from modelyard.foundation.rpc.server import Server
from modelyard.foundation.sql.engine import Database
from modelyard.tree import Entry, File, Manifest, encode_manifest, plan_packs
from tests.support.eventually import eventually
from tests.support.servers import Issuers

PROJECT = "projects/default"
DONE = (upload_pb2.Upload.STATE_COMMITTED, upload_pb2.Upload.STATE_FAILED)


class Client:
    """All stubs of the catalog with one token."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.projects = project_service_pb2_grpc.ProjectServiceStub(channel)
        self.tokens = token_service_pb2_grpc.TokenServiceStub(channel)
        self.datasets = dataset_service_pb2_grpc.DatasetServiceStub(channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(channel)
        self.packages = package_service_pb2_grpc.PackageServiceStub(channel)
        self.uploads = upload_service_pb2_grpc.UploadServiceStub(channel)
        self.files = file_service_pb2_grpc.FileServiceStub(channel)
        self.lineage = lineage_service_pb2_grpc.LineageServiceStub(channel)
        self.channel = channel

    async def begin(
        self,
        target: str,
        files: Mapping[str, bytes],
        *,
        base: str = "",
        kept: tuple[Entry, ...] = (),
        request_id: str = "",
        manifest: bytes | None = None,
        labels: Mapping[str, str] | None = None,
        kind: package_pb2.Package.Kind.ValueType = package_pb2.Package.KIND_UNSPECIFIED,
    ) -> tuple[upload_pb2.Upload, dict[int, bytes]]:
        """An upload of these files (and what is kept of the base), and the bytes of each of its packs."""
        objects = packed(files, kept, manifest)
        upload = upload_pb2.Upload(target=target, base_version=base, labels=labels or {}, package_kind=kind)
        for number, data in objects.items():
            upload.packs.add(number=number, size_bytes=len(data), manifest=number == max(objects))
        parent = "/".join(target.split("/")[:2])
        request = upload_service_pb2.BeginUploadRequest(parent=parent, upload=upload, request_id=request_id)
        return await self.uploads.BeginUpload(request), objects

    async def send(self, upload: upload_pb2.Upload, objects: Mapping[int, bytes]) -> None:
        """PUTs every part of every pack."""
        refs, bodies = [], []
        for pack in upload.packs:
            data = objects[pack.number]
            for number, start in enumerate(range(0, len(data), pack.part_size_bytes), 1):
                refs.append(upload_service_pb2.PartRef(pack=pack.number, part=number))
                bodies.append(data[start : start + pack.part_size_bytes])
        signed = await self.uploads.SignUploadParts(
            upload_service_pb2.SignUploadPartsRequest(name=upload.name, parts=refs)
        )
        for part, body in zip(signed.parts, bodies, strict=True):
            status, answer = await asyncio.to_thread(put, part.url, body)
            assert status == 200, answer

    async def commit(self, name: str, info: model_pb2.ModelInfo | None = None) -> upload_pb2.Upload:
        """Commits and waits for the end."""
        await self.uploads.CommitUpload(upload_service_pb2.CommitUploadRequest(name=name, model_info=info))
        return await self.settled(name)

    async def settled(self, name: str) -> upload_pb2.Upload:
        async def ended() -> upload_pb2.Upload | None:
            upload = await self.uploads.GetUpload(upload_service_pb2.GetUploadRequest(name=name))
            return upload if upload.state in DONE else None

        settled: upload_pb2.Upload = await eventually(ended, timeout_s=50)
        return settled

    async def push(
        self, target: str, files: Mapping[str, bytes], info: model_pb2.ModelInfo | None = None, **options: Any
    ) -> upload_pb2.Upload:
        upload, objects = await self.begin(target, files, **options)
        await self.send(upload, objects)
        return await self.commit(upload.name, info)

    async def pushed(self, target: str, files: Mapping[str, bytes], **options: Any) -> str:
        """The name of the version that a push made."""
        upload = await self.push(target, files, **options)
        assert upload.state == upload_pb2.Upload.STATE_COMMITTED, upload
        return str(upload.version)

    async def read(self, name: str) -> dict[str, bytes]:
        """All files of a version, by signed URLs, each checked against its hash."""
        entries, packs = await self.fetched(name)
        contents = {e.path: packs[e.pack][e.offset : e.offset + e.size] if e.size else b"" for e in entries}
        for entry in entries:
            assert hashlib.sha256(contents[entry.path]).hexdigest() == entry.sha256
        return contents

    async def fetched(self, name: str) -> tuple[list[Entry], dict[str, bytes]]:
        """The manifest's entries and the packs of a version."""
        signed = await self.files.SignReads(file_service_pb2.SignReadsRequest(name=name))
        manifest = Manifest.from_bytes(await asyncio.to_thread(get, signed.manifest_url))
        assert manifest.digest == signed.digest
        packs = {pack.pack: await asyncio.to_thread(get, pack.url) for pack in signed.packs}
        return manifest.verify(), packs

    async def execute(
        self, consumer: str, attempt: int = 0, *inputs: str, output_dataset: str = "", weak: bool = False
    ) -> execution_pb2.Execution:
        request = lineage_service_pb2.BeginExecutionRequest(
            parent="/".join(consumer.split("/")[:2]),
            consumer=consumer,
            attempt=attempt,
            inputs=inputs,
            output_dataset=output_dataset,
            weak=weak,
        )
        return await self.lineage.BeginExecution(request)

    async def end(
        self,
        consumer: str,
        attempt: int = 0,
        outcome: execution_pb2.Execution.State.ValueType = execution_pb2.Execution.STATE_SUCCEEDED,
        message: str = "",
    ) -> execution_pb2.Execution:
        request = lineage_service_pb2.EndExecutionRequest(
            parent="/".join(consumer.split("/")[:2]),
            consumer=consumer,
            attempt=attempt,
            outcome=outcome,
            message=message,
        )
        return await self.lineage.EndExecution(request)


@dataclass(frozen=True)
class RunningCatalog:
    services: Services
    store: S3Store
    issuers: Issuers
    address: str
    settings: CatalogSettings
    database: Database
    stack: AsyncExitStack

    async def client(self, role: str = "admin", project: str = "*", subject: str = "users/ann") -> Client:
        """A client with one role; it lives as long as the catalog."""
        return await self.client_with(self.issuers.token(role, project, subject))

    async def client_with(self, token: str) -> Client:
        settings = ChannelSettings(target=self.address)
        patience = [("grpc.min_reconnect_backoff_ms", 10_000)]  # how long a busy machine may take to connect
        channel = connect(settings, credentials=FixedToken(token) if token else None, options=patience)
        return Client(await self.stack.enter_async_context(channel))

    async def attempt(self, job: str, number: int) -> Client:
        """A client with the token of a job's attempt."""
        return await self.client("attempt", job.split("/")[1], f"{job}/attempts/{number}")

    async def keys(self) -> list[str]:
        """Of every object in the store."""
        return [info.key async for info in self.store.list("")]


@asynccontextmanager
async def running_catalog(
    folder: Path,
    s3: S3Settings,
    sql: SqlSettings | None = None,
    *,
    issuers: Issuers | None = None,
    clock: Clock | None = None,
    loops: bool = True,
    **changes: Any,
) -> AsyncIterator[RunningCatalog]:
    """The catalog of `__main__`, in this process; without `loops` a test takes their steps itself."""
    issuers = issuers or Issuers()
    settings = CatalogSettings(
        server=ListenSettings(listen=f"unix:{folder}/catalog.sock"),
        identity=IdentitySettings(trust_file=folder / "trust.json"),
        signing_key_file=folder / "catalog.key",
        sql=sql or SqlSettings(url=SecretStr(f"sqlite:///{folder}/catalog.sqlite")),
        s3=s3,
        **changes,
    )
    async with AsyncExitStack() as stack:
        database = Database(settings.sql, schema=SCHEMA)
        stack.callback(database.close)
        store = S3Store(s3)
        stack.callback(store.close)
        await store.ensure_bucket()
        catalog = SqlCatalog(database)
        await catalog.migrate()
        services = build(settings, catalog, store, issuers.catalog_key, clock or SystemClock())
        await services.projects.bootstrap("default")
        revocations = services.tokens.revocations
        await revocations.poll()
        server = Server(settings.server, verifier=issuers.verifier(revoked=revocations.is_revoked), rules=RULES)
        serve(server, services, settings, issuers.catalog_key)
        if loops:
            for loop in services.loops:
                await stack.enter_async_context(loop)
        await server.start()
        stack.push_async_callback(server.stop, 0)
        async with AsyncExitStack() as clients:
            yield RunningCatalog(services, store, issuers, server.address, settings, database, clients)


def packed(files: Mapping[str, bytes], kept: tuple[Entry, ...] = (), manifest: bytes | None = None) -> dict[int, bytes]:
    """The packs of an upload by number, the manifest last."""
    plan = plan_packs(File(path, len(data), hashlib.sha256(data).hexdigest()) for path, data in files.items())
    objects = {int(pack.pack): b"".join(files[entry.path] for entry in pack.files) for pack in plan.packs}
    objects[len(objects)] = manifest if manifest is not None else encode_manifest([*plan.entries, *kept])
    return objects


def put(url: str, body: bytes) -> tuple[int, bytes]:
    return _request("PUT", url, body)


def get(url: str) -> bytes:
    status, data = _request("GET", url, None)
    assert status == 200, data
    return data


def _request(method: str, url: str, body: bytes | None) -> tuple[int, bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    try:
        connection.request(method, f"{parts.path}?{parts.query}", body=body)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
