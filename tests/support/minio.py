"""A live MinIO server, where its binary is."""

import os
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import SecretStr

from modelyard.foundation.errors import ModelyardError
from modelyard.foundation.objectstore.s3 import S3Settings, S3Store
from modelyard.foundation.sync.children import Child
from tests.support.eventually import eventually
from tests.support.ports import free_port


def find_minio() -> str | None:
    """On PATH, or where `go install github.com/minio/minio@latest` puts it."""
    folders = [os.environ.get("GOBIN", ""), str(Path.home() / "go" / "bin")]
    return shutil.which("minio") or shutil.which("minio", path=os.pathsep.join(filter(None, folders)))


@asynccontextmanager
async def running_minio(folder: Path) -> AsyncIterator[S3Settings]:
    """MinIO on loopback with keys of its own; the bucket is there."""
    program = find_minio()
    assert program is not None
    port = free_port()
    secret = secrets.token_hex(16)
    environment = {
        "HOME": str(folder),
        "MINIO_ROOT_USER": "modelyard",
        "MINIO_ROOT_PASSWORD": secret,
        "MINIO_BROWSER": "off",
    }
    lines: list[str] = []
    child = await Child.start(
        [program, "server", str(folder / "data"), "--address", f"127.0.0.1:{port}"],
        environment=environment,
        cwd=folder,
        on_line=lambda _, line: lines.append(line),
    )
    settings = S3Settings(endpoint=f"http://127.0.0.1:{port}", access_key="modelyard", secret_key=SecretStr(secret))
    store = S3Store(settings, retries=0)

    async def answers() -> bool:
        assert child.running, "\n".join(lines)
        try:
            await store.ensure_bucket()
        except ModelyardError:
            return False
        return True

    try:
        await eventually(answers, timeout_s=30, interval_s=0.1)
        yield settings
    finally:
        store.close()
        await child.stop(grace_s=3)
