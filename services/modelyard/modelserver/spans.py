"""Finds the one tensor inside a PredictRequest's bytes without decoding it. Pure.

Knows only the usual request: one model_spec, one input, one tensor_content, each field once. For anything else
(merged or repeated fields, labels, filters, unknown fields, long varints) it answers None, and the caller decodes
with protobuf: so it cannot read a message differently than protobuf does, only decline to read it.
"""

from dataclasses import dataclass

_LENGTH_DELIMITED, _VARINT = 2, 0
_MAX_LENGTH_BYTES = 4


class _Unusual(Exception):
    """Not the usual request."""


@dataclass(frozen=True, slots=True)
class Spans:
    name: str
    version: int | None
    signature_name: str
    key: str
    dtype: int
    shape: tuple[int, ...]
    start: int
    """First byte of tensor_content in the body."""
    end: int


def read(body: bytes) -> Spans | None:
    try:
        top = _fields(body, 0, len(body), {1: _LENGTH_DELIMITED, 2: _LENGTH_DELIMITED})
        spec = _fields(body, *top[1], {1: _LENGTH_DELIMITED, 2: _LENGTH_DELIMITED, 3: _LENGTH_DELIMITED})
        entry = _fields(body, *top[2], {1: _LENGTH_DELIMITED, 2: _LENGTH_DELIMITED})
        tensor = _fields(body, *entry[2], {1: _VARINT, 2: _LENGTH_DELIMITED, 4: _LENGTH_DELIMITED})
        version = _fields(body, *spec[2], {1: _VARINT})[1][0] if 2 in spec else None
        start, end = tensor[4]
        return Spans(
            name=_text(body, spec[1]),
            version=version,
            signature_name=_text(body, spec[3]) if 3 in spec else "",
            key=_text(body, entry[1]),
            dtype=tensor[1][0],
            shape=_sizes(body, *tensor[2]),
            start=start,
            end=end,
        )
    except (_Unusual, KeyError, IndexError, UnicodeDecodeError):
        return None


def _fields(body: bytes, at: int, end: int, known: dict[int, int]) -> dict[int, tuple[int, int]]:
    """Field -> its span, or for a varint (value, value); every field at most once, none but the known ones."""
    found: dict[int, tuple[int, int]] = {}
    while at < end:
        tag = body[at]
        field = tag >> 3
        if known.get(field) != tag & 7 or field in found:
            raise _Unusual
        value, at = _varint(body, at + 1)
        if tag & 7 == _LENGTH_DELIMITED:
            found[field] = (at, at + value)
            at += value
        else:
            found[field] = (value, value)
    if at != end:
        raise _Unusual
    return found


def _varint(body: bytes, at: int) -> tuple[int, int]:
    """(value, position after it)."""
    value = 0
    for position in range(_MAX_LENGTH_BYTES):
        byte = body[at + position]
        value |= (byte & 0x7F) << (7 * position)
        if byte < 0x80:
            return value, at + position + 1
    raise _Unusual


def _text(body: bytes, span: tuple[int, int]) -> str:
    return body[span[0] : span[1]].decode()


def _sizes(body: bytes, at: int, end: int) -> tuple[int, ...]:
    """Sizes in a TensorShape that has nothing but dimensions with a size."""
    sizes: list[int] = []
    while at < end:
        if body[at] != 0x12:
            raise _Unusual
        length, at = _varint(body, at + 1)
        sizes.append(_fields(body, at, at + length, {1: _VARINT})[1][0])
        at += length
    if at != end:
        raise _Unusual
    return tuple(sizes)
