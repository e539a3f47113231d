import struct
from pathlib import Path

import numpy as np
import pytest

from modelyard.api.serving.v1 import predict_pb2
from modelyard.sdk.tensors import encode
from modelyard.trainer.gates import warmup
from modelyard.trainer.gates.files import WARMUP_FILE, NotWhole


def request(rows: int) -> predict_pb2.PredictRequest:
    return predict_pb2.PredictRequest(inputs={"x": encode(np.zeros((rows, 1), np.uint8))})


def test_what_is_written_can_be_read(tmp_path: Path) -> None:
    warmup.write(tmp_path, {"a": request(1), "b": request(2)})
    assert warmup.check(tmp_path) == 2


def test_the_checksum_is_the_formats() -> None:
    """Both from RFC 3720 (iSCSI), B.4."""
    assert warmup.crc32c(bytes(32)) == 0x8A9136AA
    assert warmup.crc32c(bytes(range(32))) == 0x46DD794E


@pytest.mark.parametrize(
    ("requests", "problem"),
    [
        ([request(1_000_000)], "request 1 of .* has 1000000 rows in 'x'; at most 4096"),
        ([request(1)] * 1001, "more than 1000 requests"),
    ],
)
def test_a_warm_up_that_takes_for_ever_is_refused(
    tmp_path: Path, requests: list[predict_pb2.PredictRequest], problem: str
) -> None:
    warmup.write(tmp_path, {str(number): each for number, each in enumerate(requests)})
    with pytest.raises(NotWhole, match=problem):
        warmup.check(tmp_path)


@pytest.mark.parametrize(
    "data", [b"x", struct.pack("<Q", 1 << 60) + bytes(20), struct.pack("<Q", 3) + b"crc!\xff\xff\xffcrc!"]
)
def test_what_is_no_warm_up_file_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / WARMUP_FILE).parent.mkdir()
    (tmp_path / WARMUP_FILE).write_bytes(data)
    with pytest.raises(NotWhole, match=r"cut off|is no PredictionLog"):
        warmup.check(tmp_path)
