"""The warm-up file: a TFRecord of PredictionLogs, which a model server answers before it says that it is ready.

A record is its length (8 bytes), the length's masked CRC-32C, the bytes, and their masked CRC-32C
(tensorflow/core/lib/io/record_writer.h).
"""

import struct
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from google.protobuf.message import DecodeError

from modelyard.api.serving.v1 import predict_pb2, saved_model_pb2
from modelyard.trainer.gates.files import WARMUP_FILE, NotWhole

MAX_RECORDS = 1000
"""As TensorFlow Serving has it."""
MAX_ROWS = 4096
"""In one request: a version's first answers shall not take minutes."""


def check(folder: Path) -> int:
    """How many requests the file holds. Raises NotWhole."""
    count = 0
    for record in _records((folder / WARMUP_FILE).read_bytes()):
        count += 1
        if count > MAX_RECORDS:
            raise NotWhole(f"{WARMUP_FILE} has more than {MAX_RECORDS} requests; keep a few for each signature")
        try:
            request = saved_model_pb2.PredictionLog.FromString(record).predict_log.request
        except DecodeError:
            raise NotWhole(f"record {count} of {WARMUP_FILE} is no PredictionLog") from None
        for name, tensor in request.inputs.items():
            rows = tensor.tensor_shape.dim[0].size if tensor.tensor_shape.dim else 1
            if rows > MAX_ROWS:
                raise NotWhole(
                    f"request {count} of {WARMUP_FILE} has {rows} rows in {name[:100]!r}; at most {MAX_ROWS} are "
                    "allowed"
                )
    return count


def write(folder: Path, requests: Mapping[str, predict_pb2.PredictRequest]) -> None:
    """One request a signature."""
    (folder / WARMUP_FILE).parent.mkdir(exist_ok=True)
    with (folder / WARMUP_FILE).open("wb") as out:
        for request in requests.values():
            log = saved_model_pb2.PredictionLog()
            log.predict_log.request.CopyFrom(request)
            data = log.SerializeToString()
            length = struct.pack("<Q", len(data))
            out.write(length + _masked(length) + data + _masked(data))


def _records(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        if at + 16 > len(data):
            raise NotWhole(f"{WARMUP_FILE} is cut off")
        (length,) = struct.unpack_from("<Q", data, at)
        if at + 16 + length > len(data):
            raise NotWhole(f"{WARMUP_FILE} is cut off, or no TFRecord")
        yield data[at + 12 : at + 12 + length]
        at += 16 + length


def _masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli)."""
    table, crc = _table(), 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


@cache
def _table() -> tuple[int, ...]:
    table = []
    for number in range(256):
        crc = number
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return tuple(table)
