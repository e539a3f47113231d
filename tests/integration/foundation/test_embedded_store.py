"""The embedded store keeps to itself, and keeps what it was given."""

import stat
from pathlib import Path

import grpc
import pytest
import urllib3

from modelyard.foundation.objectstore.embedded import prepare
from modelyard.foundation.objectstore.s3 import S3Store
from tests.support.echo import EchoClient
from tests.support.eventually import eventually
from tests.support.seaweedfs import RunningStore, running_seaweedfs

HTTP = urllib3.PoolManager(retries=False, timeout=5)
REFUSED = {400, 401, 403, 404, 405}


def listening(pid: int) -> set[str]:
    """The TCP sockets a process listens on, "address:port", from the kernel's tables."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        target = str(entry.readlink())
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            local, state, inode = line.split()[1], line.split()[3], line.split()[9]
            if state == "0A" and inode in inodes:
                address, port = local.split(":")
                found.add(f"{address}:{int(port, 16)}")
    return found


async def test_it_listens_on_its_ten_loopback_ports_and_nowhere_else(seaweedfs: RunningStore) -> None:
    expected = {f"0100007F:{port}" for port in seaweedfs.store.ports.all}
    assert len(expected) == 10
    await eventually(lambda: listening(seaweedfs.child.pid) == expected, timeout_s=20)
    assert listening(seaweedfs.child.pid) == expected


async def test_nothing_is_read_or_written_without_a_key(seaweedfs: RunningStore) -> None:
    store = S3Store(seaweedfs.store.settings)
    await store.put("secret/object", b"hunter2")
    bucket = seaweedfs.store.settings.bucket
    attempts = {
        "filer": [f"/buckets/{bucket}/secret/object", "/buckets/", f"/buckets/{bucket}/new"],
        "master": [
            "/dir/assign",
            "/dir/lookup?volumeId=1",
            "/dir/status",
            "/vol/grow?count=1",
            "/submit",
            "/col/delete",
        ],
        "s3": [f"/{bucket}/secret/object", f"/{bucket}", "/"],
        "admin": ["/api/topology", "/object-store/buckets", "/maintenance"],
    }
    for server, paths in attempts.items():
        for path in paths:
            for method in ("GET", "POST", "PUT", "DELETE"):
                url = f"http://127.0.0.1:{seaweedfs.store.ports.http[server]}{path}"
                answer = HTTP.request(method, url, body=b"x" if method in ("POST", "PUT") else None)
                assert answer.status in REFUSED, (method, url, answer.status)
                assert b"hunter2" not in answer.data
    assert await store.read("secret/object") == b"hunter2"
    store.close()


async def test_a_volume_gives_no_bytes_without_a_key(seaweedfs: RunningStore) -> None:
    store = S3Store(seaweedfs.store.settings)
    await store.put("secret/volume", b"hunter2")
    port = seaweedfs.store.ports.http["volume"]
    for volume in range(1, 12):
        for path in (f"/{volume},01637037d6", f"/{volume}/01637037d6"):
            for method in ("GET", "PUT", "DELETE"):
                answer = HTTP.request(method, f"http://127.0.0.1:{port}{path}")
                assert answer.status in REFUSED, (method, path, answer.status)
    store.close()


@pytest.mark.parametrize("server", ["master", "volume", "filer", "s3", "admin"])
async def test_its_grpc_ports_want_a_certificate(seaweedfs: RunningStore, server: str) -> None:
    address = f"127.0.0.1:{seaweedfs.store.ports.grpc[server]}"
    ca = (seaweedfs.store.cwd / "tls" / "ca.pem").read_bytes()
    name = (("grpc.ssl_target_name_override", "localhost"),)
    for channel in (
        grpc.aio.insecure_channel(address),
        grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(ca), name),
    ):
        async with channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await EchoClient(channel).raw("/filer_pb.SeaweedFiler/Ping", timeout=5)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    key, cert = ((seaweedfs.store.cwd / "tls" / f"{file}.pem").read_bytes() for file in ("key", "cert"))
    with_certificate = grpc.ssl_channel_credentials(ca, key, cert)
    async with grpc.aio.secure_channel(address, with_certificate, name) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await EchoClient(channel).raw("/no.Service/Nothing", timeout=5)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_its_files_are_for_their_owner_only(seaweedfs: RunningStore) -> None:
    folder = seaweedfs.store.cwd
    for path in [folder, *folder.iterdir(), *(folder / "tls").iterdir()]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


async def test_it_sends_nothing_home(seaweedfs: RunningStore) -> None:
    assert "-master.telemetry=false" in seaweedfs.store.argv


async def test_what_was_stored_survives_a_stop_a_kill_and_taken_ports(tmp_path: Path) -> None:
    async with running_seaweedfs(tmp_path) as first:
        settings = first.store.settings
        store = S3Store(settings)
        await store.put("k", b"one" * 1000)
        store.close()
    async with running_seaweedfs(tmp_path) as second:
        assert second.store.settings == settings
        store = S3Store(settings)
        assert await store.read("k") == b"one" * 1000
        await store.put("j", b"two")
        store.close()
        second.child.kill()
        await second.child.wait()
    (tmp_path / "ports.json").unlink()
    async with running_seaweedfs(tmp_path) as third:
        assert third.store.ports != second.store.ports
        store = S3Store(third.store.settings)
        assert await store.read("k") == b"one" * 1000
        assert await store.read("j") == b"two"
        store.close()


def leftovers(running: RunningStore) -> list[Path]:
    names = [f"seaweedfs-{server}-grpc-{port}.sock" for server, port in running.store.ports.grpc.items()]
    return [Path("/tmp", name) for name in names if Path("/tmp", name).exists()]


async def test_it_stops_by_itself_within_seconds(tmp_path: Path) -> None:
    async with running_seaweedfs(tmp_path) as running:
        ended = await running.child.stop(grace_s=20)
        assert not ended.killed
    assert leftovers(running) == []


def test_its_keys_are_made_once_and_its_certificates_each_time(tmp_path: Path) -> None:
    first = prepare(tmp_path)
    ca = (tmp_path / "tls" / "ca.pem").read_bytes()
    second = prepare(tmp_path)
    assert second.settings == first.settings
    assert second.ports == first.ports
    assert (tmp_path / "tls" / "ca.pem").read_bytes() != ca
    assert first.settings.secret_key.get_secret_value() not in repr(first)
