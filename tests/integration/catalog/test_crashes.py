"""kill -9 of the catalog between any two calls outside: nothing half-done is seen, and the next start ends it."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from modelyard.api.catalog.v1 import dataset_service_pb2, upload_pb2, upload_service_pb2
from modelyard.foundation.auth.keys import create_key
from modelyard.foundation.auth.trust import write_trust
from modelyard.foundation.config import SqlSettings
from modelyard.foundation.objectstore.s3 import S3Settings
from tests.support.catalog import PROJECT, Client, RunningCatalog, running_catalog
from tests.support.eventually import eventually
from tests.support.servers import Issuers

DIGITS = f"{PROJECT}/datasets/digits"
FILES = {f"{n % 10}/{n}.png": bytes([n % 256]) * 700 for n in range(300)} | {"empty": b""}


def s3_json(s3: S3Settings) -> str:
    return json.dumps(s3.model_dump(mode="json") | {"secret_key": s3.secret_key.get_secret_value()})


async def die_everywhere(which: str, running: RunningCatalog, grace_s: float = 0.0) -> int:
    """Repeats the loop's step until it ends; returns how often the process was killed on the way."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.catalog.crashing",
        which,
        running.settings.sql.url.get_secret_value(),
        s3_json(running.settings.s3),
        str(grace_s),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await child.communicate()
    assert output.strip().isdigit(), output
    return int(output)


async def versions(client: Client) -> list[str]:
    listed = await client.datasets.ListDatasetVersions(dataset_service_pb2.ListDatasetVersionsRequest(parent=DIGITS))
    return [version.name for version in listed.dataset_versions]


@pytest.mark.timeout(180)
async def test_a_commit_survives_a_kill_between_any_two_steps(
    tmp_path: Path, backends: tuple[SqlSettings, S3Settings]
) -> None:
    sql, s3 = backends
    async with running_catalog(tmp_path, s3, sql, loops=False) as running:
        admin = await running.client()
        await admin.datasets.CreateDataset(
            dataset_service_pb2.CreateDatasetRequest(parent=PROJECT, dataset_id="digits")
        )
        upload, objects = await admin.begin(DIGITS, FILES)
        await admin.send(upload, objects)
        await admin.uploads.CommitUpload(upload_service_pb2.CommitUploadRequest(name=upload.name))
        assert await versions(admin) == []

        deaths = await die_everywhere("commit", running)

        assert deaths >= 10
        settled = await admin.settled(upload.name)
        assert settled.state == upload_pb2.Upload.STATE_COMMITTED
        assert await versions(admin) == [f"{DIGITS}/versions/1"]
        assert await admin.read(f"{DIGITS}/versions/1") == FILES


@pytest.mark.timeout(180)
async def test_garbage_collection_survives_a_kill_between_any_two_steps(
    tmp_path: Path, backends: tuple[SqlSettings, S3Settings]
) -> None:
    sql, s3 = backends
    async with running_catalog(tmp_path, s3, sql, loops=False) as running:
        admin = await running.client()
        for content in (b"gone", b"kept"):
            upload, objects = await admin.begin(DIGITS, {"x": content})
            await admin.send(upload, objects)
            await admin.uploads.CommitUpload(upload_service_pb2.CommitUploadRequest(name=upload.name))
            await running.services.committer.step()
        left, _ = await admin.begin(DIGITS, {"y": b"never committed"})
        await admin.uploads.AbortUpload(upload_service_pb2.AbortUploadRequest(name=left.name))
        await admin.datasets.DeleteDatasetVersion(
            dataset_service_pb2.DeleteDatasetVersionRequest(name=f"{DIGITS}/versions/1")
        )

        assert await die_everywhere("collect", running) >= 5

        assert await admin.read(f"{DIGITS}/versions/2") == {"x": b"kept"}
        assert len(await running.keys()) == 2  # one manifest, one pack


@pytest.mark.timeout(180)
async def test_the_process_takes_up_a_commit_again_after_kill_9(
    tmp_path: Path, backends: tuple[SqlSettings, S3Settings]
) -> None:
    sql, s3 = backends
    key = create_key(tmp_path / "catalog.key")
    issuers = Issuers(catalog_key=key)
    write_trust(tmp_path / "trust.json", issuers.trust)
    config = tmp_path / "catalog.toml"
    socket = tmp_path / "process.sock"
    config.write_text(
        f"""
        signing_key_file = "{tmp_path}/catalog.key"
        server.listen = "unix:{socket}"
        identity.trust_file = "{tmp_path}/trust.json"
        sql.url = "{sql.url.get_secret_value()}"
        [s3]
        """
        + "\n".join(f"{name} = {json.dumps(value)}" for name, value in json.loads(s3_json(s3)).items())
    )
    content = {"big": bytes(range(256)) * (200 << 10)}

    async def start() -> asyncio.subprocess.Process:
        child = await asyncio.create_subprocess_exec(sys.executable, "-m", "modelyard.catalog", "--config", str(config))
        await eventually(socket.exists, timeout_s=60)
        return child

    async with running_catalog(tmp_path, s3, sql, loops=False, issuers=issuers) as front:
        admin = await front.client()
        upload, objects = await admin.begin(DIGITS, content)
        await admin.send(upload, objects)
        first = await start()
        await admin.uploads.CommitUpload(upload_service_pb2.CommitUploadRequest(name=upload.name))
        first.kill()
        await first.wait()
        socket.unlink(missing_ok=True)
        second = await start()
        try:
            assert (await admin.settled(upload.name)).state == upload_pb2.Upload.STATE_COMMITTED
            assert await admin.read(f"{DIGITS}/versions/1") == content
        finally:
            second.terminate()
            assert await asyncio.wait_for(second.wait(), 30) == 0
