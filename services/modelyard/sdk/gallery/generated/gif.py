"""Animated GIF files whose bytes depend on the frames only."""

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LEVELS = (6, 7, 6)
"""Of red, green and blue; together 252 of the 256 colours that a GIF may have."""
_CLEAR, _END, _FIRST, _MOST = 256, 257, 258, 4096


def to_gif(frames: "Sequence[NDArray[np.uint8]]", frame_ms: int) -> bytes:
    """The file of frames [height, width, 3], shown for `frame_ms` each; their colours become the nearest of 252."""
    height, width, _ = frames[0].shape
    parts = [b"GIF89a", struct.pack("<HHBBB", width, height, 0xF7, 0, 0), _palette()]
    for frame in frames:
        parts.append(b"\x21\xf9\x04\x04" + struct.pack("<H", frame_ms // 10) + b"\x00\x00")
        parts.append(b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x08")
        packed = _lzw(_indices(frame).tobytes())
        for start in range(0, len(packed), 255):
            block = packed[start : start + 255]
            parts.append(bytes([len(block)]) + block)
        parts.append(b"\x00")
    return b"".join(parts) + b"\x3b"


def _palette() -> bytes:
    red, green, blue = _LEVELS
    colours = [
        bytes(round_to(level, count) for level, count in zip((r, g, b), _LEVELS, strict=True))
        for r in range(red)
        for g in range(green)
        for b in range(blue)
    ]
    return b"".join(colours).ljust(256 * 3, b"\x00")


def round_to(level: int, count: int) -> int:
    """The byte that the level-th of `count` evenly spaced levels is."""
    return (255 * level + (count - 1) // 2) // (count - 1)


def _indices(frame: "NDArray[np.uint8]") -> "NDArray[np.uint8]":
    import numpy as np

    levels = [
        (frame[..., channel].astype(np.int32) * (count - 1) + 127) // 255 for channel, count in enumerate(_LEVELS)
    ]
    return ((levels[0] * _LEVELS[1] + levels[1]) * _LEVELS[2] + levels[2]).astype(np.uint8)


def _lzw(data: bytes) -> bytes:
    """GIF's variant of Lempel, Ziv & Welch with codes of 9 to 12 bits."""
    packed = bytearray()
    held, held_bits, size = _CLEAR, 9, 9
    table: dict[tuple[int, int], int] = {}
    following = _FIRST
    prefix = data[0]
    for byte in data[1:]:
        code = table.get((prefix, byte))
        if code is not None:
            prefix = code
            continue
        held |= prefix << held_bits
        held_bits += size
        if following < _MOST:
            table[prefix, byte] = following
            if following == 1 << size:
                size += 1
            following += 1
        else:
            held |= _CLEAR << held_bits
            held_bits += size
            table.clear()
            following, size = _FIRST, 9
        while held_bits >= 8:
            packed.append(held & 0xFF)
            held >>= 8
            held_bits -= 8
        prefix = byte
    held |= prefix << held_bits
    held_bits += size
    if following < _MOST and following == 1 << size:
        size += 1
    held |= _END << held_bits
    held_bits += size
    packed += held.to_bytes((held_bits + 7) // 8, "little")
    return bytes(packed)
