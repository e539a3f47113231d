"""Small videos, made on the spot."""

import io
from typing import Any

import av
import numpy as np

CODECS = {"mp4": "libx264", "mov": "libx264", "webm": "libvpx"}


def video(form: str, frames: int = 6, size: tuple[int, int] = (64, 48), options: dict[str, str] | None = None) -> bytes:
    """Frames of one shade each, 40 levels lighter than the one before, (width, height); `options` are the muxer's."""
    width, height = size
    out = io.BytesIO()
    with av.open(out, "w", format=form, options=options) as container:
        stream: Any = container.add_stream(CODECS[form], rate=25)
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        for number in range(frames):
            pixels = np.full((height, width, 3), 40 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(stream.encode())
    return out.getvalue()


def claiming(webm: bytes, was: tuple[int, int], said: tuple[int, int]) -> bytes:
    """A WebM whose header says another (width, height) than its frames have; sides of 256 and more."""
    for kind, before, after in zip((b"\xb0", b"\xba"), was, said, strict=True):
        one, other = (kind + b"\x82" + side.to_bytes(2, "big") for side in (before, after))
        assert webm.count(one) == 1
        webm = webm.replace(one, other)
    return webm
