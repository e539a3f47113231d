"""gRPC's length-prefixed message: one flag byte, four bytes of length, the message, perhaps compressed."""

import zlib

from modelyard.modelserver.errors import InvalidRequest, NotOffered, RequestTooLarge

HEADER = 5


def length(head: bytes) -> int:
    """Bytes of the message whose first five bytes `head` starts with."""
    return int.from_bytes(head[1:HEADER])


def frame(message: bytes) -> bytes:
    return b"\0" + len(message).to_bytes(4) + message


def too_large(size: int, limit: int) -> RequestTooLarge:
    return RequestTooLarge(f"Received message larger than max ({size} vs. {limit}); send fewer rows at a time")


def unframe(body: bytes, encoding: bytes, limit: int) -> bytes:
    """The one message of a unary request. Raises InvalidRequest, NotOffered, RequestTooLarge."""
    if len(body) < HEADER or len(body) != HEADER + length(body):
        raise InvalidRequest("the body is not exactly one gRPC message")
    if length(body) > limit:
        raise too_large(length(body), limit)
    message = body[HEADER:]
    if body[0] == 0:
        return message
    if body[0] != 1:
        raise InvalidRequest("the first byte of a gRPC message is 0 or 1")
    return inflate(message, encoding, limit)


def inflate(message: bytes, encoding: bytes, limit: int) -> bytes:
    """Never makes more than `limit` bytes, however small the message is."""
    windows = {b"gzip": 31, b"deflate": 15}
    if encoding not in windows:
        name = encoding.decode("latin-1")
        raise NotOffered(f"grpc-encoding {name!r} is not supported; gzip, deflate and identity are")
    inflater = zlib.decompressobj(windows[encoding])
    try:
        whole = inflater.decompress(message, limit + 1)
    except zlib.error as error:
        raise InvalidRequest(f"the message is not {encoding.decode()}: {error}") from None
    if len(whole) > limit:
        raise too_large(len(whole), limit)
    if not inflater.eof:
        raise InvalidRequest(f"the message is cut short: its {encoding.decode()} stream has no end")
    return whole
