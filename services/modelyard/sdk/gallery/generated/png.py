"""PNG files whose bytes depend on the pixels only.

zlib compresses better or worse from one version to the next, so this has its own deflate: Huffman codes without
matches, which is most of what there is to gain on photographs.
"""

import struct
import zlib
from typing import TYPE_CHECKING

from modelyard.sdk.gallery.generated.huffman import code_lengths, codes, pack

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_END = 256
_COLOUR = {1: 0, 3: 2}
"""Channels -> PNG's colour type."""
_PAETH = 4
_LENGTHS_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)


def to_png(pixels: "NDArray[np.uint8]") -> bytes:
    """The file of an image [height, width, 3], or [height, width, 1] in grey."""
    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR[channels], 0, 0, 0)
    data = _zlib(_filtered(pixels))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _filtered(pixels: "NDArray[np.uint8]") -> "NDArray[np.uint8]":
    """Each byte less what Paeth's filter foretells from those left, above and above left of it."""
    import numpy as np

    whole = np.zeros((pixels.shape[0] + 1, pixels.shape[1] + 1, pixels.shape[2]), np.int16)
    whole[1:, 1:] = pixels
    left, above, corner = whole[1:, :-1], whole[:-1, 1:], whole[:-1, :-1]
    foretold = left + above - corner
    by_left, by_above, by_corner = (abs(foretold - each) for each in (left, above, corner))
    best = np.where(
        (by_left <= by_above) & (by_left <= by_corner), left, np.where(by_above <= by_corner, above, corner)
    )
    rows = ((whole[1:, 1:] - best) & 0xFF).astype(np.uint8).reshape(pixels.shape[0], -1)
    return np.concatenate([np.full((len(rows), 1), _PAETH, np.uint8), rows], axis=1).reshape(-1)


def _zlib(data: "NDArray[np.uint8]") -> bytes:
    """zlib's format (RFC 1950) around one block with codes of its own."""
    import numpy as np

    counts = [*np.bincount(data, minlength=_END).tolist(), 1]
    lengths = code_lengths(counts, 15)
    head, head_sizes = _code_of_lengths(lengths)
    symbols = np.append(data.astype(np.intp), _END)
    values = np.append(np.array(head, np.uint32), np.array(codes(lengths), np.uint32)[symbols])
    sizes = np.append(np.array(head_sizes, np.uint8), np.array(lengths, np.uint8)[symbols])
    return b"\x78\x01" + pack(values, sizes) + struct.pack(">I", zlib.adler32(data.tobytes()))


def _code_of_lengths(lengths: list[int]) -> tuple[list[int], list[int]]:
    """A block's head: values and how many bits each has. The one distance code that must be there is never used."""
    written = [*lengths, 1]
    of_lengths = code_lengths([written.count(length) for length in range(19)], 7)
    shown = [of_lengths[length] for length in _LENGTHS_ORDER]
    values = [1, 2, len(lengths) - 257, 0, len(shown) - 4, *shown]
    sizes = [1, 2, 5, 5, 4, *[3] * len(shown)]
    words = codes(of_lengths)
    return values + [words[length] for length in written], sizes + [of_lengths[length] for length in written]
