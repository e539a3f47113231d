"""Gets a version's bytes and believes none of them before its hash is right."""

import functools
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

from modelyard.api.catalog.v1 import file_service_pb2, file_service_pb2_grpc
from modelyard.sdk.connection import Connection
from modelyard.sdk.errors import DataLoss, InvalidArgument, NotFound, PermissionDenied
from modelyard.sdk.progress import Progress, silent
from modelyard.sdk.store import Store
from modelyard.tree import Entry, Manifest, TreeError

_PACK_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_CHUNK_BYTES = 1 << 20


def signed_reads(connection: Connection, name: str) -> file_service_pb2.SignReadsResponse:
    """Signed URLs for everything of a version; an alias is resolved."""
    stub = file_service_pb2_grpc.FileServiceStub(connection.channel)
    return connection.call(stub.SignReads, file_service_pb2.SignReadsRequest(name=name))


def read_manifest(store: Store, reads: file_service_pb2.SignReadsResponse) -> list[Entry]:
    """The entries of the version, checked against the digest that the catalog says it has."""
    try:
        manifest = Manifest.from_bytes(store.get(reads.manifest_url))
        entries = manifest.verify()
    except TreeError as error:
        raise DataLoss(f"the manifest of {reads.name} is damaged: {error}", reason=error.reason) from error
    if manifest.digest != reads.digest:
        raise DataLoss(f"the manifest of {reads.name} is another tree's", reason="DIGEST_MISMATCH")
    return entries


def read_file(store: Store, reads: file_service_pb2.SignReadsResponse, entries: Iterable[Entry], path: str) -> bytes:
    """One small file of the version, out of its pack; its hash is verified. Raises NotFound."""
    entry = next((entry for entry in entries if entry.path == path), None)
    if entry is None:
        raise NotFound(f"{reads.name} has no file {path}", reason="FILE_NOT_FOUND")
    data = read_head(store, reads, entry, entry.size)
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise DataLoss(f"{path} is not what was pushed: its hash differs", reason="FILE_DAMAGED")
    return data


def read_head(store: Store, reads: file_service_pb2.SignReadsResponse, entry: Entry, length: int) -> bytes:
    """A file's first bytes, or all it has; they are not verified, as the hash is that of the whole file."""
    url = next((pack.url for pack in reads.packs if pack.pack == entry.pack), "")
    if entry.size and not url:
        raise DataLoss(f"{reads.name} lacks its pack {entry.pack}", reason="PACK_MISSING")
    return store.get_range(url, entry.offset, min(entry.size, length)) if entry.size else b""


def fetch_packs(
    connection: Connection, name: str, folder: Path, *, progress: Progress = silent, store: Store | None = None
) -> list[Entry]:
    """Put the version's packs into `folder`, a file each named by its id, and verify every entry's hash.

    Answers the entries, sorted by path. `folder` is created.
    """
    store = store or Store(connection.access.ca_file)
    reads = signed_reads(connection, name)
    entries = read_manifest(store, reads)
    needed = {entry.pack for entry in entries if entry.size}
    packs = [pack for pack in reads.packs if pack.pack in needed]
    missing = needed - {pack.pack for pack in packs}
    if missing:
        raise DataLoss(f"{reads.name} lacks its pack {min(missing)}", reason="PACK_MISSING")
    folder.mkdir(parents=True, exist_ok=True)
    total = sum(pack.size_bytes for pack in packs)
    done = 0
    urls = _urls(reads)
    for pack in packs:
        place = _pack_file(folder, pack.pack)
        shown = functools.partial(_shown, progress, done, total)
        try:
            _write(store.read(urls[pack.pack], pack.size_bytes), place, shown)
        except PermissionDenied as error:
            if error.reason != "URL_EXPIRED":
                raise
            # Of what takes long to fetch, the last packs come after the end of their signatures.
            urls = _urls(signed_reads(connection, reads.name))
            _write(store.read(urls[pack.pack], pack.size_bytes), place, shown)
        done += pack.size_bytes
    _verify(entries, folder, progress)
    return entries


def _urls(reads: file_service_pb2.SignReadsResponse) -> dict[str, str]:
    return {pack.pack: pack.url for pack in reads.packs}


def _shown(progress: Progress, before: int, total: int, done: int) -> None:
    progress("fetching", before + done, total)


def _write(chunks: Iterable[bytes], place: Path, shown: Callable[[int], None]) -> None:
    done = 0
    with place.open("wb") as file:
        for chunk in chunks:
            file.write(chunk)
            done += len(chunk)
            shown(done)
        file.flush()
        os.fsync(file.fileno())


def fetch_files(
    connection: Connection, name: str, folder: Path, *, progress: Progress = silent, store: Store | None = None
) -> list[Entry]:
    """Put the version's files into `folder`, which must not exist or be empty; every hash is verified.

    Answers the entries, sorted by path. A folder that was not there is not left behind when this fails.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidArgument(f"{folder} exists and is not an empty folder; name another", reason="FOLDER_NOT_EMPTY")
    there, packs = folder.exists(), folder / ".packs"
    try:
        entries = fetch_packs(connection, name, packs, progress=progress, store=store)
        unpack(entries, packs, folder)
    except BaseException:
        if not there:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        shutil.rmtree(packs, ignore_errors=True)
    return entries


def unpack(entries: Iterable[Entry], packs: Path, folder: Path) -> None:
    """Write each entry as a file of its own below `folder`."""
    for entry in entries:
        path = folder / entry.path
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as out:
            if entry.size:
                with _pack_file(packs, entry.pack).open("rb") as pack:
                    pack.seek(entry.offset)
                    _copy(pack, out, entry.size)


def _pack_file(folder: Path, pack: str) -> Path:
    if not _PACK_ID.fullmatch(pack):
        raise DataLoss(f"the manifest names a pack {pack!r}, which can't be", reason="MANIFEST_DAMAGED")
    return folder / pack


def _verify(entries: Sequence[Entry], folder: Path, progress: Progress) -> None:
    total = sum(entry.size for entry in entries)
    done = 0
    by_place = sorted((entry for entry in entries if entry.size), key=lambda entry: (entry.pack, entry.offset))
    current, file = "", None
    try:
        for entry in by_place:
            if file is None or entry.pack != current:
                if file is not None:
                    file.close()
                current, file = entry.pack, _pack_file(folder, entry.pack).open("rb")
            file.seek(entry.offset)
            whole, left = hashlib.sha256(), entry.size
            while left and (chunk := file.read(min(left, _CHUNK_BYTES))):
                whole.update(chunk)
                left -= len(chunk)
            if left or whole.hexdigest() != entry.sha256:
                raise DataLoss(f"{entry.path} is not what was pushed: its hash differs", reason="FILE_DAMAGED")
            done += entry.size
            progress("verifying", done, total)
    finally:
        if file is not None:
            file.close()


def _copy(source: BinaryIO, out: BinaryIO, size: int) -> None:
    left = size
    while left:
        chunk = source.read(min(left, _CHUNK_BYTES))
        if not chunk:
            raise DataLoss("a pack is shorter than its manifest says", reason="PACK_DAMAGED")
        out.write(chunk)
        left -= len(chunk)
