"""A gRPC message on its way through, never rewritten."""

import zlib
from dataclasses import dataclass

from modelyard.proxy.errors import BadFraming, EncodingUnknown, RequestTooLarge

HEADER_BYTES = 5
"""gRPC's frame: one byte that says compressed or not, four with the length."""
_WINDOW_BITS = {"gzip": 31, "deflate": 15}


@dataclass(frozen=True, slots=True)
class Payload:
    """A message as it came: in its gRPC frame, or bare."""

    data: bytes
    framed: bool
    encoding: str = ""
    """How the message in the frame is compressed, "" when it is not."""

    @property
    def frame(self) -> bytes:
        return self.data if self.framed else frame(self.data)

    @property
    def message(self) -> bytes:
        return self.data[HEADER_BYTES:] if self.framed else self.data

    def __len__(self) -> int:
        return len(self.data) - HEADER_BYTES if self.framed else len(self.data)


def frame(message: bytes) -> bytes:
    return b"\0" + len(message).to_bytes(4, "big") + message


def announced_length(data: bytes, limit: int) -> int:
    """The length in a frame's header; RequestTooLarge as soon as it is known to be more than `limit`."""
    length = int.from_bytes(data[1:HEADER_BYTES], "big")
    if length > limit:
        raise too_large(length, limit)
    return length


def unframed(data: bytes, encoding: str, limit: int) -> Payload:
    """The one frame that a unary request is."""
    if len(data) < HEADER_BYTES or data[0] > 1:
        raise BadFraming("the body is not a gRPC message: one byte of flags, four of length, then the message")
    length = announced_length(data, limit)
    if length != len(data) - HEADER_BYTES:
        raise BadFraming(f"the gRPC frame announces {length} bytes and carries {len(data) - HEADER_BYTES}")
    if data[0] == 0:
        return Payload(data, framed=True)
    if encoding not in _WINDOW_BITS:
        raise EncodingUnknown(f"messages compressed with {encoding[:40]!a} are not read; use gzip, deflate or none")
    return Payload(data, framed=True, encoding=encoding)


def readable(payload: Payload, limit: int) -> tuple[bytes, int]:
    """The plain message, and where it starts."""
    if not payload.encoding:
        return payload.data, HEADER_BYTES if payload.framed else 0
    inflate = zlib.decompressobj(_WINDOW_BITS[payload.encoding])
    try:
        plain = inflate.decompress(memoryview(payload.data)[HEADER_BYTES:], limit + 1)
    except zlib.error:
        raise BadFraming(f"the message is not valid {payload.encoding}") from None
    if len(plain) > limit:
        raise too_large(len(plain), limit)
    if not inflate.eof:
        raise BadFraming(f"the message is not valid {payload.encoding}: it ends too early")
    return plain, 0


def too_large(length: int, limit: int) -> RequestTooLarge:
    return RequestTooLarge(
        f"the message is longer than {limit} bytes; send fewer examples at once", length=str(length), limit=str(limit)
    )
