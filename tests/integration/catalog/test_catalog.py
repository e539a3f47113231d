"""The whole catalog on SQLite with the embedded store, and on PostgreSQL with MinIO."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import func, select

from modelyard.api.catalog.v1 import (
    dataset_service_pb2,
    project_service_pb2,
    token_service_pb2,
    upload_pb2,
    upload_service_pb2,
)
from modelyard.catalog.adapters import schema
from modelyard.catalog.adapters.sql_catalog import SCHEMA, SqlCatalog
from modelyard.catalog.service.commits import Committer
from modelyard.catalog.service.files import TreeReader
from modelyard.foundation.clock import ManualClock, SystemClock
from modelyard.foundation.config import SqlSettings
from modelyard.foundation.objectstore.s3 import S3Settings, S3Store
from modelyard.foundation.rpc.status import reason_of
from modelyard.foundation.sql.engine import Database
from modelyard.foundation.sync.loop import Loop
from tests.support.catalog import PROJECT, put, running_catalog

Backends = tuple[SqlSettings, S3Settings]
DIGITS = f"{PROJECT}/datasets/digits"


async def test_the_migrations_make_the_schema_that_the_code_uses(sql_settings: SqlSettings) -> None:
    database = Database(sql_settings, schema=SCHEMA)
    assert await SqlCatalog(database).migrate() == "0004"
    assert await SqlCatalog(database).migrate() == "0004"
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        differences = [d for d in compare_metadata(context, schema.metadata) if "alembic_version" not in str(d)]
    database.close()
    assert differences == []


async def test_a_push_a_re_push_and_a_job_on_both_pairs(tmp_path: Path, backends: Backends) -> None:
    sql, s3 = backends
    async with running_catalog(tmp_path, s3, sql) as running:
        admin = await running.client()
        files = {f"{n % 10}/{n}": bytes([n % 256]) * n for n in range(500)}
        first = await admin.pushed(DIGITS, files)
        entries, _ = await admin.fetched(first)
        changed = dict(files, new=b"new") | {"0/10": b"changed"}
        kept = tuple(entry for entry in entries if entry.path != "0/10")
        second = await admin.pushed(DIGITS, {"new": b"new", "0/10": b"changed"}, base=first, kept=kept)
        assert await admin.read(second) == changed
        assert await admin.read(first) == files

        scheduler = await running.client("service", "*", "services/scheduler")
        job = f"{PROJECT}/jobs/j"
        await scheduler.execute(job, 0, second)
        attempt = await running.attempt(job, 1)
        await attempt.execute(job, 1)
        checkpoint = await attempt.pushed(f"{job}/checkpoints/5", {"w": b"5"})
        model = await attempt.pushed(f"{PROJECT}/models/m", {"saved_model.pb": b"g"})
        ended = await attempt.end(job, 1)
        assert [ref.name for ref in ended.inputs] == [second]
        assert [ref.name for ref in ended.outputs] == [model]
        assert ended.last_checkpoint.name == checkpoint


async def test_many_first_pushes_of_one_name_at_once_are_numbered_one_after_the_other(
    tmp_path: Path, backends: Backends
) -> None:
    sql, s3 = backends
    async with running_catalog(tmp_path, s3, sql) as running:
        admin = await running.client()

        made = await asyncio.gather(*(admin.pushed(DIGITS, {"n": str(n).encode()}) for n in range(12)))

        assert sorted(made, key=lambda name: int(name.rpartition("/")[2])) == [
            f"{DIGITS}/versions/{number}" for number in range(1, 13)
        ]


async def test_of_many_who_move_an_alias_at_once_one_wins_each_round(tmp_path: Path, backends: Backends) -> None:
    sql, s3 = backends
    async with running_catalog(tmp_path, s3, sql) as running:
        admin = await running.client()
        await admin.pushed(DIGITS, {"n": b"1"})
        await admin.pushed(DIGITS, {"n": b"2"})

        async def move(expected: int, version: int) -> str:
            request = dataset_service_pb2.SetDatasetAliasRequest(
                name=DIGITS, alias="a", version=version, expected_version=expected
            )
            try:
                await admin.datasets.SetDatasetAlias(request)
            except grpc.aio.AioRpcError as error:
                return reason_of(error)
            return "won"

        current = 0
        for _ in range(5):
            version = 2 if current == 1 else 1
            answers = Counter(await asyncio.gather(*(move(current, version) for _ in range(16))))
            assert answers == {"won": 1, "ALIAS_MOVED": 15}
            current = version


async def test_of_a_begin_and_a_delete_at_once_one_wins(tmp_path: Path, backends: Backends) -> None:
    sql, s3 = backends
    async with running_catalog(tmp_path, s3, sql) as running:
        admin = await running.client()
        scheduler = await running.client("service", "*", "services/scheduler")
        outcomes = set()
        for round_ in range(12):
            version = await admin.pushed(DIGITS, {"n": str(round_).encode()})
            job = f"{PROJECT}/jobs/j{round_}"
            answers = await asyncio.gather(
                scheduler.execute(job, 0, version),
                admin.datasets.DeleteDatasetVersion(dataset_service_pb2.DeleteDatasetVersionRequest(name=version)),
                return_exceptions=True,
            )
            reasons = [reason_of(answer) if isinstance(answer, grpc.aio.AioRpcError) else "" for answer in answers]
            assert reasons in (["", "STILL_NEEDED"], ["NOT_FOUND", ""]), reasons
            outcomes.add(reasons[0])
        assert outcomes


async def test_what_is_deleted_leaves_the_store_after_the_grace_and_not_before(
    tmp_path: Path, backends: Backends
) -> None:
    sql, s3 = backends
    clock = ManualClock()
    grace = timedelta(hours=24)
    async with running_catalog(tmp_path, s3, sql, clock=clock, loops=False) as running:
        admin = await running.client()
        collect, commit = running.services.collector.step, running.services.committer.step

        async def push(files: dict[str, bytes]) -> upload_pb2.Upload:
            upload, objects = await admin.begin(DIGITS, files)
            await admin.send(upload, objects)
            await admin.uploads.CommitUpload(upload_service_pb2.CommitUploadRequest(name=upload.name))
            await commit()
            return await admin.settled(upload.name)

        first = await push({"a": b"a", "b": b"b"})
        await push({"c": b"c"})
        await collect()
        assert len(await running.keys()) == 4  # the clients' manifests are gone, the packs and our manifests stay
        await admin.datasets.DeleteDatasetVersion(dataset_service_pb2.DeleteDatasetVersionRequest(name=first.version))
        await collect()
        clock.advance(grace.total_seconds() - 60)
        await collect()
        assert len(await running.keys()) == 4
        clock.advance(120)
        await collect()

        assert len(await running.keys()) == 2
        assert await admin.read(f"{DIGITS}/versions/2") == {"c": b"c"}


async def test_a_pack_stays_as_long_as_any_version_or_upload_needs_it(tmp_path: Path, backends: Backends) -> None:
    sql, s3 = backends
    clock = ManualClock()
    async with running_catalog(tmp_path, s3, sql, clock=clock, loops=False) as running:
        admin = await running.client()
        collect, commit = running.services.collector.step, running.services.committer.step

        async def settle(name: str) -> upload_pb2.Upload:
            await admin.uploads.CommitUpload(upload_service_pb2.CommitUploadRequest(name=name))
            await commit()
            return await admin.settled(name)

        upload, objects = await admin.begin(DIGITS, {"a": b"a"})
        await admin.send(upload, objects)
        first = (await settle(upload.name)).version
        entries, _ = await admin.fetched(first)
        upload, objects = await admin.begin(DIGITS, {"b": b"b"}, base=first, kept=tuple(entries))
        await admin.send(upload, objects)
        await admin.datasets.DeleteDatasetVersion(dataset_service_pb2.DeleteDatasetVersionRequest(name=first))
        await collect()
        clock.advance(23 * 3600)
        await collect()

        second = (await settle(upload.name)).version
        clock.advance(48 * 3600)
        await collect()
        await collect()

        assert await admin.read(second) == {"a": b"a", "b": b"b"}


async def test_an_upload_that_is_left_alone_expires_and_frees_its_parts(tmp_path: Path, backends: Backends) -> None:
    sql, s3 = backends
    clock = ManualClock()
    async with running_catalog(tmp_path, s3, sql, clock=clock, loops=False) as running:
        admin = await running.client()
        upload, _ = await admin.begin(DIGITS, {"a": b"a" * 1000})
        signed = await admin.uploads.SignUploadParts(
            upload_service_pb2.SignUploadPartsRequest(
                name=upload.name, parts=[upload_service_pb2.PartRef(pack=0, part=1)]
            )
        )
        assert (await asyncio.to_thread(put, signed.parts[0].url, b"a" * 1000))[0] == 200
        clock.advance(24 * 3600 - 1)
        await running.services.collector.step()
        got = await admin.uploads.GetUpload(upload_service_pb2.GetUploadRequest(name=upload.name))
        assert (got.state, len(got.packs[0].received_parts)) == (upload_pb2.Upload.STATE_OPEN, 1)
        clock.advance(2)
        await running.services.collector.step()

        got = await admin.uploads.GetUpload(upload_service_pb2.GetUploadRequest(name=upload.name))
        assert got.state == upload_pb2.Upload.STATE_EXPIRED
        status, _ = await asyncio.to_thread(put, signed.parts[0].url, b"a" * 1000)
        assert status == 404


async def test_a_revocation_outlives_the_process(tmp_path: Path, backends: Backends) -> None:
    sql, s3 = backends
    async with running_catalog(tmp_path, s3, sql) as running:
        issuers = running.issuers
        secret = issuers.token("viewer", "default", "users/bob", token_id="from-up")
        admin = await running.client()
        await admin.tokens.RevokeToken(token_service_pb2.RevokeTokenRequest(name="tokens/from-up"))
    async with running_catalog(tmp_path, s3, sql, issuers=issuers) as running:
        bob = await running.client_with(secret)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await bob.projects.ListProjects(project_service_pb2.ListProjectsRequest())
        assert reason_of(caught.value) == "TOKEN_REVOKED"


@pytest.mark.timeout(180)
async def test_seventy_thousand_small_files_cost_no_rows_and_little_time(tmp_path: Path, backends: Backends) -> None:
    sql, s3 = backends
    async with running_catalog(tmp_path, s3, sql) as running:
        admin = await running.client()
        files = {f"train/{n % 10}/{n:05}.png": n.to_bytes(4, "big") * 60 for n in range(70_000)}
        upload, objects = await admin.begin(DIGITS, files)
        await admin.send(upload, objects)
        began = time.monotonic()
        await admin.uploads.CommitUpload(upload_service_pb2.CommitUploadRequest(name=upload.name))
        settled = await admin.settled(upload.name)
        took_s = time.monotonic() - began

        assert settled.state == upload_pb2.Upload.STATE_COMMITTED
        assert took_s < 40
        rows = await running.database.read(
            lambda connection: sum(
                connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in schema.metadata.sorted_tables
            )
        )
        assert rows < 50


class SlowStore:
    """The store, which reads back one pack only when it is told to."""

    def __init__(self, store: S3Store, slow: str) -> None:
        self._store = store
        self._slow = slow
        self.go_on = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def stream(self, key: str) -> AsyncIterator[bytes]:
        if self._slow in key:
            await self.go_on.wait()
        async for chunk in self._store.stream(key):
            yield chunk


async def test_a_large_commit_holds_up_no_small_one(tmp_path: Path, backends: Backends) -> None:
    sql, s3 = backends
    async with running_catalog(tmp_path, s3, sql, loops=False) as running:
        admin = await running.client()
        uploads = []
        for content in (b"large", b"small"):
            upload, objects = await admin.begin(DIGITS, {"x": content})
            await admin.send(upload, objects)
            await admin.uploads.CommitUpload(upload_service_pb2.CommitUploadRequest(name=upload.name))
            uploads.append(upload.name)
        store: Any = SlowStore(running.store, uploads[0].rpartition("/")[2])
        catalog = SqlCatalog(running.database)
        committer = Committer(catalog, store, TreeReader(store), SystemClock(), keep_checkpoints=2)
        async with Loop("commits", committer.step, period_s=1):
            small = await admin.settled(uploads[1])
            large = await admin.uploads.GetUpload(upload_service_pb2.GetUploadRequest(name=uploads[0]))
            assert small.version == f"{DIGITS}/versions/1"
            assert large.state == upload_pb2.Upload.STATE_COMMITTING
            store.go_on.set()
            assert (await admin.settled(uploads[0])).version == f"{DIGITS}/versions/2"
