"""variables.index, as TensorFlow writes it: one block of entries, one that points to it, and a footer."""

import struct
from pathlib import Path

import pytest

from modelyard.api.serving.v1 import saved_model_pb2
from modelyard.trainer.gates.bundle import check
from modelyard.trainer.gates.files import NotWhole

MAGIC = 0xDB4775248B80FB57


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def block(entries: list[tuple[bytes, bytes]], kind: int = 0) -> bytes:
    """The second entry shares what it can with the first, as LevelDB does."""
    out, last = b"", b""
    for key, value in entries:
        shared = next((i for i, (a, b) in enumerate(zip(key, last, strict=False)) if a != b), min(len(key), len(last)))
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        last = key
    return out + struct.pack("<II", 0, 1) + bytes([kind]) + b"crc!"


def table(entries: list[tuple[bytes, bytes]], kind: int = 0) -> bytes:
    data = block(entries, kind)
    index = block([(b"z", varint(0) + varint(len(data) - 5))])
    footer = varint(0) + varint(0) + varint(len(data)) + varint(len(index) - 5)
    return data + index + footer.ljust(40, b"\0") + struct.pack("<Q", MAGIC)


def entry(offset: int, size: int, shard: int = 0) -> bytes:
    return saved_model_pb2.BundleEntry(shard_id=shard, offset=offset, size=size).SerializeToString()


HEADER = (b"", saved_model_pb2.BundleHeader(num_shards=1).SerializeToString())


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "variables").mkdir()
    (tmp_path / "variables" / "variables.data-00000-of-00001").write_bytes(bytes(100))
    return tmp_path


def index(model: Path, data: bytes) -> Path:
    (model / "variables" / "variables.index").write_bytes(data)
    return model


def test_variables_inside_their_files_are_counted(model: Path) -> None:
    entries = [HEADER, (b"layer/bias", entry(0, 40)), (b"layer/kernel", entry(40, 60))]
    assert check(index(model, table(entries))) == 2


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        ([HEADER, (b"w", entry(40, 61))], "ends before variable 'w' does: it has 100 bytes, and 101 are needed"),
        ([HEADER, (b"w", entry(-5, 5))], "ends before variable 'w' does"),
        ([HEADER, (b"w", entry(0, 1, shard=1))], "should be in variables/variables.data-00001-of-00001, which is not"),
        ([(b"w", entry(0, 1))], "can't be read"),
        ([], "can't be read"),
        ([(b"", b"\xff\xff")], "can't be read"),
    ],
)
def test_variables_elsewhere_are_said(model: Path, entries: list[tuple[bytes, bytes]], problem: str) -> None:
    with pytest.raises(NotWhole) as caught:
        check(index(model, table(entries)))
    assert problem in str(caught.value)


def test_every_torn_index_is_refused(model: Path) -> None:
    whole = table([HEADER, (b"w", entry(0, 100))])
    for length in range(len(whole)):
        with pytest.raises(NotWhole):
            check(index(model, whole[:length]))
    for at in range(len(whole)):
        broken = index(model, whole[:at] + bytes([whole[at] ^ 0x80]) + whole[at + 1 :])
        try:
            check(broken)
        except NotWhole:
            continue


def test_a_compressed_index_is_refused(model: Path) -> None:
    with pytest.raises(NotWhole, match="can't be read"):
        check(index(model, table([HEADER], kind=1)))
