"""The SDK's push and fetch against the catalog: what the CLI and the trainer stand on."""

import asyncio
from pathlib import Path

from modelyard.foundation.config import SqlSettings
from modelyard.foundation.objectstore.s3 import S3Settings
from modelyard.sdk.connection import Connection
from modelyard.sdk.discovery import Access
from modelyard.sdk.download import fetch_files
from modelyard.sdk.folder import scan
from modelyard.sdk.upload import push
from tests.support.catalog import PROJECT, running_catalog

DIGITS = f"{PROJECT}/datasets/digits"


async def test_a_folder_comes_back_as_it_was_and_a_re_push_sends_nothing(
    tmp_path: Path, backends: tuple[SqlSettings, S3Settings]
) -> None:
    sql, s3 = backends
    folder = tmp_path / "digits"
    for number in range(200):
        path = folder / str(number % 10) / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([number]) * number)
    (folder / "large.bin").write_bytes(bytes(range(256)) * (150 << 10))
    async with running_catalog(tmp_path, s3, sql) as running:
        access = Access(running.address, running.issuers.token(subject="users/ann"))

        def main_job() -> None:
            with Connection(access) as connection:
                latest = f"{DIGITS}/versions/latest"
                first = push(connection, DIGITS, scan(folder), base=latest)
                assert (first.version, first.unchanged) == (f"{DIGITS}/versions/1", False)
                again = push(connection, DIGITS, scan(folder), base=latest)
                assert (again.version, again.unchanged, again.sent_bytes) == (first.version, True, 0)
                (folder / "new.png").write_bytes(b"new")
                (folder / "1" / "1.png").unlink()
                second = push(connection, DIGITS, scan(folder), base=latest)
                assert (second.version, second.sent_bytes) == (f"{DIGITS}/versions/2", 3)
                fetch_files(connection, second.version, tmp_path / "copy")

        await asyncio.to_thread(main_job)

    copied = {str(p.relative_to(tmp_path / "copy")): p.read_bytes() for p in (tmp_path / "copy").rglob("*.png")}
    assert copied == {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*.png")}
    assert (tmp_path / "copy" / "large.bin").read_bytes() == (folder / "large.bin").read_bytes()
