"""gRPC's frame around a message."""

import gzip
import zlib

import pytest

from modelyard.foundation.errors import ModelyardError
from modelyard.proxy.errors import BadFraming, EncodingUnknown, RequestTooLarge
from modelyard.proxy.payload import Payload, frame, readable, unframed


def compressed(data: bytes) -> bytes:
    return b"\1" + len(data).to_bytes(4, "big") + data


def test_a_frame_is_passed_on_as_it_came() -> None:
    data = frame(b"message")
    payload = unframed(data, "", 100)

    assert (payload.frame, payload.message, len(payload)) == (data, b"message", 7)
    assert payload.frame is data
    assert Payload(b"message", framed=False).frame == data


@pytest.mark.parametrize("length", [99, 100])
def test_up_to_the_limit_is_accepted(length: int) -> None:
    assert len(unframed(frame(bytes(length)), "", 100)) == length


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", BadFraming),
        (b"\0\0\0\0", BadFraming),
        (b"\2\0\0\0\0", BadFraming),
        (frame(b"a") + b"b", BadFraming),
        (frame(b"ab")[:-1], BadFraming),
        (frame(bytes(101)), RequestTooLarge),
        (compressed(b"x"), EncodingUnknown),
    ],
)
def test_what_is_not_one_frame_is_refused(data: bytes, error: type[ModelyardError]) -> None:
    with pytest.raises(error):
        unframed(data, "", 100)


@pytest.mark.parametrize(
    ("encoding", "data"), [("gzip", gzip.compress(b"spec", mtime=0)), ("deflate", zlib.compress(b"spec"))]
)
def test_a_compressed_message_is_read_and_travels_compressed(encoding: str, data: bytes) -> None:
    payload = unframed(compressed(data), encoding, 100)

    assert readable(payload, 100) == (b"spec", 0)
    assert (payload.frame, payload.encoding) == (compressed(data), encoding)


def test_a_bomb_is_refused_before_it_has_unpacked() -> None:
    bomb = compressed(gzip.compress(bytes(50_000_000)))

    with pytest.raises(RequestTooLarge):
        readable(unframed(bomb, "gzip", 1_000_000), 1_000_000)


@pytest.mark.parametrize("data", [b"not gzip", gzip.compress(b"spec", mtime=0)[:-9]])
def test_what_does_not_unpack_is_refused(data: bytes) -> None:
    with pytest.raises(BadFraming, match="not valid gzip"):
        readable(unframed(compressed(data), "gzip", 100), 100)
