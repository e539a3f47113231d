import hashlib

import pytest

from modelyard.api.catalog.v1 import file_service_pb2
from modelyard.sdk.download import read_file
from modelyard.sdk.errors import DataLoss, NotFound
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
