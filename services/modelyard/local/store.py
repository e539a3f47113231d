"""Which object store an installation uses: the one asked for, else `minio` on PATH, else the embedded one."""

import asyncio
import json
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from modelyard.foundation.errors import ModelyardError
from modelyard.foundation.objectstore import embedded
from modelyard.foundation.objectstore.s3 import S3Settings, S3Store
from modelyard.local.errors import ProcessDidNotStart, StoreChanged
from modelyard.local.folder import DataFolder, replace_file

BUCKET = "modelyard"
START_S = 60.0
_RECORD = "store.json"


@dataclass(frozen=True, slots=True)
class StoreProcess:
    """How to start a store on this machine."""

    argv: Sequence[str]
    cwd: Path
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Store:
    """The installation's object store."""

    kind: str
    """`external`, `minio` or `embedded`."""
    title: str
    """For people: what it is and which version."""
    settings: S3Settings
    process: StoreProcess | None
    """None: somebody else runs it."""
    own: embedded.EmbeddedStore | None = None

    def sweep(self) -> None:
        """Once its process has ended: what it leaves outside the data folder."""
        if self.own is not None:
            embedded.sweep(self.own)

    async def ready(self) -> None:
        """Return once it answers and has the bucket; one that somebody else runs must answer at once."""
        client = S3Store(self.settings, retries=0)
        deadline = time.monotonic() + (START_S if self.process else 0)
        try:
            while True:
                try:
                    await client.ensure_bucket()
                except ModelyardError as error:
                    if time.monotonic() >= deadline:
                        raise ProcessDidNotStart(
                            f"the object store at {self.settings.endpoint} can't be used: {error.message}"
                        ) from error
                else:
                    return
                await asyncio.sleep(0.1)  # between tries: the store tells nobody that it is up
        finally:
            client.close()


def choose_store(folder: DataFolder, s3_endpoint: str = "") -> Store:
    """The recorded store; at the first start the one asked for, else what this machine has.

    For `s3_endpoint`, credentials come from MODELYARD_S3_ACCESS_KEY and MODELYARD_S3_SECRET_KEY (else AWS's names).
    """
    record_file = folder.root / _RECORD
    record = json.loads(record_file.read_text()) if record_file.exists() else None
    if record is None:
        record = _first_choice(s3_endpoint)
        replace_file(record_file, json.dumps(record))
    elif s3_endpoint and s3_endpoint != record.get("endpoint"):
        raise StoreChanged(
            f"the data of {folder.root} is in {record.get('endpoint') or 'the ' + record['kind'] + ' store'}; "
            "leave --s3-endpoint out, or start another installation with --dir",
            recorded=record["kind"],
        )
    if record["kind"] == "external":
        settings = S3Settings(
            endpoint=record["endpoint"],
            access_key=record["access_key"],
            secret_key=SecretStr(record["secret_key"]),
            bucket=record["bucket"],
        )
        return Store("external", record["endpoint"], settings, None)
    if record["kind"] == "minio":
        return _minio(folder, record)
    store = embedded.prepare(folder.part("store"), bucket=BUCKET)
    title = f"SeaweedFS {store.version}, embedded, for evaluation"
    return Store("embedded", title, store.settings, StoreProcess(store.argv, store.cwd, store.environment), store)


def _first_choice(s3_endpoint: str) -> dict[str, str]:
    if s3_endpoint:
        access = os.environ.get("MODELYARD_S3_ACCESS_KEY") or os.environ.get("AWS_ACCESS_KEY_ID", "")
        secret = os.environ.get("MODELYARD_S3_SECRET_KEY") or os.environ.get("AWS_SECRET_ACCESS_KEY", "")
        if not access or not secret:
            raise StoreChanged(
                f"{s3_endpoint} needs credentials: set MODELYARD_S3_ACCESS_KEY and MODELYARD_S3_SECRET_KEY"
            )
        bucket = os.environ.get("MODELYARD_S3_BUCKET", BUCKET)
        return {
            "kind": "external",
            "endpoint": s3_endpoint,
            "access_key": access,
            "secret_key": secret,
            "bucket": bucket,
        }
    if shutil.which("minio"):
        return {"kind": "minio", "access_key": secrets.token_hex(10), "secret_key": secrets.token_urlsafe(30)}
    return {"kind": "embedded"}


def _minio(folder: DataFolder, record: Mapping[str, str]) -> Store:
    program = shutil.which("minio")
    if program is None:
        raise StoreChanged(f"the data of {folder.root} is in MinIO, and `minio` is not on PATH any more; put it there")
    port = _free_port()
    data = folder.part("store") / "minio"
    data.mkdir(exist_ok=True)
    settings = S3Settings(
        endpoint=f"http://127.0.0.1:{port}",
        access_key=record["access_key"],
        secret_key=SecretStr(record["secret_key"]),
        bucket=BUCKET,
    )
    process = StoreProcess(
        [program, "server", str(data), "--address", f"127.0.0.1:{port}"],
        data,
        {
            "PATH": os.defpath,
            "HOME": str(folder.part("store")),
            "MINIO_ROOT_USER": record["access_key"],
            "MINIO_ROOT_PASSWORD": record["secret_key"],
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
        },
    )
    return Store("minio", f"MinIO {_minio_version(program)}", settings, process)


def _minio_version(program: str) -> str:
    out = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=30).stdout
    return minio_version(out)


def minio_version(said: str) -> str:
    """The version in what `minio --version` says; one that `go install` made has none."""
    words = said.split()
    version = words[2] if len(words) > 2 else "of unknown version"
    return "built from source" if version.startswith("DEVELOPMENT") else version


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])
