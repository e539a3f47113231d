"""Sizes of images, read from their headers before anything is decoded.

Sources: the PNG specification, third edition, §5.2, §5.3, §11.2.1; ITU-T T.81 (JPEG) §B.2.2; the GIF89a specification
§18; Microsoft's BITMAPINFOHEADER; RFC 9649 (WebP) §2.5–2.7.
"""

import zlib

from modelyard.layouts.files import File
from modelyard.layouts.heads import Head, UnusableError

MAX_PIXELS = 1 << 26
"""More are not decoded: 67 million, 256 MiB in four channels."""

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 3, 6: 4}
"""By colour type: greyscale, RGB, palette, greyscale with alpha, RGB with alpha."""
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_MAX_SEGMENTS = 4096
_NO_IMAGE = "no PNG, JPEG, WebP, GIF or BMP image"


def image_shape(file: File) -> tuple[str, tuple[int, int, int]]:
    """The encoding; height, width and channels. Raises UnusableError."""
    head = Head(file)
    for encoding, signatures, shape in (
        ("png", (_PNG,), _png),
        ("jpeg", (b"\xff\xd8\xff",), _jpeg),
        ("gif", (b"GIF87a", b"GIF89a"), _gif),
        ("bmp", (b"BM",), _bmp),
        ("webp", (b"RIFF",), _webp),
    ):
        if head.begins_with(*signatures):
            height, width, channels = shape(head)
            check_pixels(height, width)
            return encoding, (height, width, channels)
    if not file.size:
        raise UnusableError("is empty")
    raise UnusableError(f"begins with {head.shown}; it is {_NO_IMAGE}")


def check_pixels(height: int, width: int) -> None:
    """Raises UnusableError for none, and for more than are decoded."""
    if not height or not width:
        raise UnusableError(f"claims to be {width} × {height} pixels")
    if height * width > MAX_PIXELS:
        raise UnusableError(
            f"is {width:,} × {height:,} pixels; at most {MAX_PIXELS / 1e6:.0f} million are decoded, so make it smaller"
        )


def _png(head: Head) -> tuple[int, int, int]:
    length, kind, width, height, depth, colour = head.unpack(">I4sIIBB", 8)
    (crc,) = head.unpack(">I", 29)
    if (length, kind) != (13, b"IHDR") or zlib.crc32(head.at(12, 17)) != crc:
        raise UnusableError("is a damaged PNG: its header is not what its checksum says")
    if colour not in _PNG_CHANNELS or depth not in (1, 2, 4, 8, 16):
        raise UnusableError(f"is a PNG of the unknown colour type {colour} with {depth} bits")
    return height, width, _PNG_CHANNELS[colour]


def _jpeg(head: Head) -> tuple[int, int, int]:
    at = 2
    for _ in range(_MAX_SEGMENTS):
        ff, marker = head.at(at, 2)
        if ff != 0xFF:
            break
        if marker == 0xFF or marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
            continue
        (length,) = head.unpack(">H", at + 2)
        if marker in _FRAME_MARKERS:
            height, width, components = head.unpack(">HHB", at + 5)
            return height, width, 1 if components == 1 else 3
        if marker in (0xD9, 0xDA) or length < 2:
            break
        at += 2 + length
    raise UnusableError("is a damaged JPEG: it has no header of a frame")


def _gif(head: Head) -> tuple[int, int, int]:
    width, height = head.unpack("<HH", 6)
    return height, width, 3


def _bmp(head: Head) -> tuple[int, int, int]:
    (size,) = head.unpack("<I", 14)
    if size not in (40, 52, 56, 64, 108, 124):
        raise UnusableError(f"is a BMP with an unknown header of {size} bytes; save it as PNG")
    width, height, _, bits, used = head.unpack("<iiHH16xI", 18)
    if bits not in (1, 2, 4, 8, 16, 24, 32) or width < 0:
        raise UnusableError(f"is a damaged BMP: {width} pixels wide, {bits} bits a pixel")
    grey = bits == 8 and _is_grey_ramp(head.at(14 + size, (min(used, 256) or 256) * 4))
    if bits not in (24, 32) and not grey:
        what = f"{bits} bit{'s' if bits > 1 else ''}{' with a palette' if bits <= 8 else ''}"
        raise UnusableError(f"is a BMP of {what}, which TensorFlow does not read; save it as PNG")
    return abs(height), width, 1 if grey else 3


def _is_grey_ramp(palette: bytes) -> bool:
    """Whether colour n is the grey n, for TensorFlow takes a pixel's place in the palette for its grey."""
    return all(palette[at : at + 3] == bytes([at // 4] * 3) for at in range(0, len(palette), 4))


def _webp(head: Head) -> tuple[int, int, int]:
    if head.at(8, 4) != b"WEBP":
        raise UnusableError(f"begins with {head.shown}; it is {_NO_IMAGE}")
    kind = head.at(12, 4)
    if kind == b"VP8X":
        flags, low_w, high_w, low_h, high_h = head.unpack("<BxxxHBHB", 20)
        return low_h + (high_h << 16) + 1, low_w + (high_w << 16) + 1, 4 if flags & 0x10 else 3
    if kind == b"VP8 " and head.at(23, 3) == b"\x9d\x01\x2a":
        width, height = head.unpack("<HH", 26)
        return height & 0x3FFF, width & 0x3FFF, 3
    if kind == b"VP8L" and head.at(20, 1) == b"\x2f":
        (bits,) = head.unpack("<I", 21)
        return (bits >> 14 & 0x3FFF) + 1, (bits & 0x3FFF) + 1, 4 if bits >> 28 & 1 else 3
    raise UnusableError(f"is a damaged WebP: its first part is {kind!r}")
