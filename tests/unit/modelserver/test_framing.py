import gzip
import zlib

import pytest

from modelyard.foundation.errors import ModelyardError
from modelyard.modelserver.fronts.framing import frame, unframe


def test_a_message_survives_its_frame() -> None:
    for message in (b"", b"x", b"y" * 70_000):
        assert unframe(frame(message), b"", 70_000) == message


def test_compressed_messages_are_inflated() -> None:
    for name, packed in ((b"gzip", gzip.compress(b"x" * 1000)), (b"deflate", zlib.compress(b"x" * 1000))):
        assert unframe(b"\1" + frame(packed)[1:], name, 1000) == b"x" * 1000


@pytest.mark.parametrize(
    ("body", "encoding", "text"),
    [
        (b"", b"", "not exactly one gRPC message"),
        (b"\0\0\0", b"", "not exactly one gRPC message"),
        (frame(b"x") + b"y", b"", "not exactly one gRPC message"),
        (frame(b"x") + frame(b"y"), b"", "not exactly one gRPC message"),
        (frame(b"xyz")[:-1], b"", "not exactly one gRPC message"),
        (b"\2" + frame(b"x")[1:], b"", "0 or 1"),
        (frame(b"x" * 101), b"", "larger than max"),
        (b"\1" + frame(b"x")[1:], b"", "grpc-encoding '' is not supported"),
        (b"\1" + frame(b"x")[1:], b"snappy", "grpc-encoding 'snappy' is not supported"),
        (b"\1" + frame(b"xyz")[1:], b"gzip", "the message is not gzip"),
        (b"\1" + frame(gzip.compress(b"x" * 101, mtime=0))[1:], b"gzip", "larger than max"),
        (b"\1" + frame(gzip.compress(b"x" * 50, mtime=0)[:-9])[1:], b"gzip", "cut short"),
    ],
)
def test_a_frame_that_is_wrong_is_refused(body: bytes, encoding: bytes, text: str) -> None:
    with pytest.raises(ModelyardError, match=text):
        unframe(body, encoding, 100)
