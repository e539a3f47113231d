"""Small videos, made on the spot."""

import io
import struct
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

CODECS = {"mp4": "libx264", "mov": "libx264", "webm": "libvpx"}


def video(form: str, frames: int = 6, size: tuple[int, int] = (64, 48), options: dict[str, str] | None = None) -> bytes:
    """Frames of one shade each, 40 levels lighter than the one before, (width, height); `options` are the muxer's."""
    width, height = size
    shades = 40 * np.arange(frames, dtype=np.uint8)
    return of(np.tile(shades[:, np.newaxis, np.newaxis, np.newaxis], (1, height, width, 3)), form, options)


def of(pixels: NDArray[np.uint8], form: str, options: dict[str, str] | None = None) -> bytes:
    """These frames [n, height, width, 3]."""
    _, height, width, _ = pixels.shape
    out = io.BytesIO()
    with av.open(out, "w", format=form, options=options) as container:
        stream: Any = container.add_stream(CODECS[form], rate=25)
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        for frame in pixels:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode())
    return out.getvalue()


def turned(mp4: bytes, *matrix: int, box: bytes = b"tkhd") -> bytes:
    """The same frames, to be shown with the matrix a, b, c, d (ISO/IEC 14496-12 §8.3.2 and §8.2.2 for mvhd)."""
    a, b, c, d = (each << 16 for each in matrix)
    at = mp4.index(box) + 4 + {b"tkhd": 40, b"mvhd": 36}[box]
    return mp4[:at] + struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30) + mp4[at + 36 :]


def claiming(webm: bytes, was: tuple[int, int], said: tuple[int, int]) -> bytes:
    """A WebM whose header says another (width, height) than its frames have; sides of 256 and more."""
    for kind, before, after in zip((b"\xb0", b"\xba"), was, said, strict=True):
        one, other = (kind + b"\x82" + side.to_bytes(2, "big") for side in (before, after))
        assert webm.count(one) == 1
        webm = webm.replace(one, other)
    return webm
