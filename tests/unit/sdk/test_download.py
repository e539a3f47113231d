import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from modelyard.api.catalog.v1 import file_service_pb2
from modelyard.sdk import download
from modelyard.sdk.download import fetch_packs, read_file
from modelyard.sdk.errors import DataLoss, NotFound, PermissionDenied
from modelyard.sdk.store import Store
from modelyard.tree import Entry

PACK = b"before|mine|behind"


class OnePack(Store):
    """A store of one object."""

    def get_range(self, url: str, offset: int, length: int) -> bytes:
        assert url == "http://store/pack"
        return PACK[offset : offset + length]


def read(path: str, *, sha256: str = hashlib.sha256(b"mine").hexdigest(), pack: str = "p") -> bytes:
    reads = file_service_pb2.SignReadsResponse(name="things/versions/1")
    reads.packs.add(pack="p", size_bytes=len(PACK), url="http://store/pack")
    return read_file(OnePack(), reads, [Entry("a.csv", 4, sha256, pack, 7)], path)


def test_a_file_is_read_out_of_its_pack() -> None:
    assert read("a.csv") == b"mine"


def test_a_file_that_is_not_there_or_not_what_was_pushed_is_said() -> None:
    with pytest.raises(NotFound, match=r"^things/versions/1 has no file b\.csv"):
        read("b.csv")
    with pytest.raises(DataLoss, match=r"^a\.csv is not what was pushed: its hash differs"):
        read("a.csv", sha256="0" * 64)
    with pytest.raises(DataLoss, match=r"^things/versions/1 lacks its pack q"):
        read("a.csv", pack="q")


class Signing:
    """A catalog whose URLs count up."""

    def __init__(self) -> None:
        self.channel = grpc.insecure_channel("unix:nowhere")
        self.signed = 0

    def call(self, *_: Any) -> file_service_pb2.SignReadsResponse:
        self.signed += 1
        reads = file_service_pb2.SignReadsResponse(name="things/versions/1")
        for pack in ("p", "q", "r"):
            reads.packs.add(pack=pack, size_bytes=len(PACK), url=f"http://store/{pack}?{self.signed}")
        return reads


class Forgetful(Store):
    """A store where signatures hold for two packs."""

    def __init__(self) -> None:
        self.read_with: list[str] = []

    def read(self, url: str, size: int | None) -> Iterator[bytes]:
        signature = url.partition("?")[2]
        if self.read_with.count(signature) == 2:
            raise PermissionDenied("the URL for an object is no longer valid", reason="URL_EXPIRED")
        self.read_with.append(signature)
        yield PACK


def test_what_takes_longer_than_its_signatures_is_signed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = hashlib.sha256(PACK).hexdigest()
    entries = [Entry(f"{pack}.csv", len(PACK), whole, pack, 0) for pack in ("p", "q", "r")]
    monkeypatch.setattr(download, "read_manifest", lambda *_: entries)
    connection, store, shown = Signing(), Forgetful(), []
    fetch_packs(
        connection,  # type: ignore[arg-type]
        "things/versions/1",
        tmp_path,
        progress=lambda *part: shown.append(part),
        store=store,
    )
    assert store.read_with == ["1", "1", "2"]
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {PACK}
    assert ("fetching", 3 * len(PACK), 3 * len(PACK)) in shown
