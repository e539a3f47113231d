"""What an ordinary PNG file says about itself, read from its first bytes.

Decoders open a file in fifty times that time, which is what a push of many small images would be spent on.
Source: the PNG specification, third edition, §5.2 (signature), §5.3 (chunks) and §11.2.1 (IHDR).
"""

import struct
import zlib

HEAD_BYTES = 1024
"""As much of a file is looked at; what does not show its pixels' beginning by then is no ordinary one."""
MAX_PIXELS = 1 << 24

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_IHDR_CHUNK = struct.Struct(">I4sIIBBBBBI")
_CHUNK = struct.Struct(">I4s")
_CHANNELS = {0: 1, 2: 3, 3: 3, 6: 4}
"""By colour type: greyscale, RGB, palette, RGB with alpha."""
_BEFORE_PIXELS = frozenset({b"PLTE", b"bKGD", b"cHRM", b"gAMA", b"pHYs", b"sBIT", b"sRGB", b"tEXt", b"tIME", b"tRNS"})


def ordinary_shape(head: bytes) -> tuple[int, int, int] | None:
    """Height, width and channels of a PNG image with eight bits a channel, from the file's first HEAD_BYTES.

    None for whatever else: another format, a rare kind of PNG, or a damaged file.
    """
    if len(head) < len(_SIGNATURE) + _IHDR_CHUNK.size or not head.startswith(_SIGNATURE):
        return None
    length, kind, width, height, depth, colour, compression, filtering, interlace, crc = _IHDR_CHUNK.unpack_from(
        head, len(_SIGNATURE)
    )
    plain = (length, kind, depth, compression, filtering) == (13, b"IHDR", 8, 0, 0) and interlace in (0, 1)
    if not plain or colour not in _CHANNELS or not 0 < width * height <= MAX_PIXELS:
        return None
    if zlib.crc32(head[12:29]) != crc:
        return None
    at = len(_SIGNATURE) + _IHDR_CHUNK.size
    while at + _CHUNK.size <= len(head):
        length, kind = _CHUNK.unpack_from(head, at)
        if kind == b"IDAT":
            return height, width, _CHANNELS[colour]
        if kind not in _BEFORE_PIXELS:
            return None
        at += _CHUNK.size + length + 4
    return None
