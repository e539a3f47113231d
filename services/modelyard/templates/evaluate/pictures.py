"""Images within a page: PNG (ISO/IEC 15948) in a data URI."""

import base64
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

LARGEST_SIDE = 192
"""Larger images are made smaller: a report is for looking, and is stored with the job."""
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}


def data_uri(image: NDArray[np.uint8], largest: int = LARGEST_SIDE) -> str:
    """`image` [height, width, channels], 1 to 4 channels; `largest`: pixels that its longer side has at most."""
    return "data:image/png;base64," + base64.b64encode(png(_smaller(image, largest))).decode()


def png(image: NDArray[np.uint8]) -> bytes:
    """`image` [height, width, channels], grey, grey and alpha, RGB or RGBA."""
    height, width, channels = image.shape
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    # Each row begins with its filter: 0, none.
    rows = np.concatenate([np.zeros((height, 1), np.uint8), image.reshape(height, width * channels)], 1)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    )


def _smaller(image: NDArray[np.uint8], largest: int) -> NDArray[np.uint8]:
    """The means of squares of n × n pixels, n as small as will do; what is over at the edges is cut off."""
    height, width, channels = image.shape
    side = -(-max(height, width) // largest)
    if side == 1:
        return image
    high, wide = max(1, height // side), max(1, width // side)
    part = image[: high * side, : wide * side].astype(np.float32)
    tall, broad = part.shape[0] // high, part.shape[1] // wide
    return np.asarray(part.reshape(high, tall, wide, broad, channels).mean((1, 3)).round(), np.uint8)
