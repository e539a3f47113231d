"""variables.index: which variable lies where in the files of variables.

The format is LevelDB's table (github.com/google/leveldb, doc/table_format.md); TensorFlow writes it uncompressed
(tensorflow/core/util/tensor_bundle/tensor_bundle.cc). Runs in the scanner's process.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import DecodeError

from modelyard.api.serving.v1 import saved_model_pb2
from modelyard.trainer.gates.files import VARIABLES, NotWhole

_MAGIC = 0xDB4775248B80FB57
_FOOTER_BYTES = 48
_UNCOMPRESSED = 0


def check(folder: Path) -> int:
    """How many variables there are; each lies inside its file. Raises NotWhole."""
    name = f"{VARIABLES}.index"
    try:
        return _check(folder, (folder / name).read_bytes())
    except (IndexError, struct.error, DecodeError, ValueError) as error:
        raise NotWhole(f"{name} can't be read ({type(error).__name__}); copy the whole folder again") from error


def _check(folder: Path, data: bytes) -> int:
    entries = iter_entries(data)
    key, value = next(entries, (b"-", b""))
    if key:
        raise ValueError("the first entry is no header")
    shards = saved_model_pb2.BundleHeader.FromString(value).num_shards
    if not 1 <= shards <= 99_999:
        raise ValueError("no shards")
    sizes: dict[int, int] = {}
    count = 0
    for key, value in entries:
        entry = saved_model_pb2.BundleEntry.FromString(value)
        file = f"{VARIABLES}.data-{entry.shard_id:05d}-of-{shards:05d}"
        if entry.shard_id not in sizes:
            path = folder / file
            if not 0 <= entry.shard_id < shards or not path.is_file():
                raise NotWhole(f"variable {_text(key)} should be in {file}, which is not there; copy the whole folder")
            sizes[entry.shard_id] = path.stat().st_size
        if entry.offset < 0 or entry.size < 0 or entry.offset + entry.size > sizes[entry.shard_id]:
            raise NotWhole(
                f"{file} ends before variable {_text(key)} does: it has {sizes[entry.shard_id]} bytes, and "
                f"{entry.offset + entry.size} are needed; copy the whole folder"
            )
        count += 1
    return count


def _text(key: bytes) -> str:
    return repr(key[:200].decode("utf-8", "replace"))


def iter_entries(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Key and value of every entry, in order. Raises ValueError, IndexError or struct.error."""
    if len(data) < _FOOTER_BYTES or struct.unpack_from("<Q", data, len(data) - 8)[0] != _MAGIC:
        raise ValueError("no table")
    at = len(data) - _FOOTER_BYTES
    for _ in range(2):
        _, at = _varint(data, at)
    offset, at = _varint(data, at)
    size, at = _varint(data, at)
    for _, handle in _block(data, offset, size):
        block, at = _varint(handle, 0)
        length, at = _varint(handle, at)
        yield from _block(data, block, length)


def _block(data: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    end = offset + size
    if end + 5 > len(data) or size < 4:
        raise ValueError("a block beyond the end")
    if data[end] != _UNCOMPRESSED:
        raise ValueError("a compressed block")
    (restarts,) = struct.unpack_from("<I", data, end - 4)
    end -= 4 + 4 * restarts
    key, at = b"", offset
    while at < end:
        shared, at = _varint(data, at)
        own, at = _varint(data, at)
        length, at = _varint(data, at)
        if shared > len(key) or at + own + length > end:
            raise ValueError("an entry beyond its block")
        key = key[:shared] + data[at : at + own]
        at += own
        yield key, data[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number without an end")
