"""Videos as uint8 [frames, height, width, 3]: so many frames, evenly spaced from the first to the last."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.layouts.heads import UnusableError
from modelyard.layouts.pictures import check_pixels
from modelyard.layouts.videos import MAX_PIXELS

MAX_FRAMES = 1 << 20
"""Of one file; more are not looked at."""


def decode(data: bytes, frames: int, height: int, width: int) -> NDArray[np.uint8]:
    """Frames of an MP4, WebM or GIF at this size; of one that has fewer, some come several times.

    Memory does not grow with the video: it is gone through twice. Raises ValueError for what is no video.
    """
    import av

    try:
        count = _count(data)
        wanted = np.round(np.linspace(0, count - 1, frames)).astype(np.int64)
        return _pick(data, wanted, height, width)
    except (av.FFmpegError, IndexError) as error:
        raise ValueError(str(getattr(error, "strerror", None) or error)) from error


def size_of(data: bytes) -> tuple[int, int]:
    """Height and width, of the header. Raises ValueError."""
    import av

    try:
        with av.open(io.BytesIO(data), "r") as container:
            stream = container.streams.video[0]
            return int(stream.height), int(stream.width)
    except (av.FFmpegError, IndexError) as error:
        raise ValueError(str(getattr(error, "strerror", None) or error)) from error


def _count(data: bytes) -> int:
    """How many frames there are, without decoding them."""
    import av

    count = 0
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.video[0]
        pixels = _pixels(stream)
        for packet in container.demux(stream):
            count += packet.size > 0
            if count * pixels > MAX_PIXELS:
                raise ValueError(f"it has more than {count:,} frames of {pixels:,} pixels, too much to be decoded")
            if count >= MAX_FRAMES:
                break
    if not count:
        raise ValueError("it holds no frame")
    return count


def _pick(data: bytes, wanted: NDArray[np.int64], height: int, width: int) -> NDArray[np.uint8]:
    import av

    out = np.zeros((len(wanted), height, width, 3), np.uint8)
    filled, picture = 0, None
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.video[0]
        # Files are decoded side by side.
        stream.codec_context.thread_count = 1
        for number, frame in enumerate(container.decode(stream)):
            if number < wanted[filled]:
                continue
            # A stream may change its size.
            _pixels(frame)
            picture = _picture(frame, height, width)
            while filled < len(wanted) and wanted[filled] <= number:
                out[filled] = picture
                filled += 1
            if filled == len(wanted):
                return out
    if picture is None:
        raise ValueError("none of its frames can be decoded")
    # Some packets hold no frame of their own: the last one stands still.
    out[filled:] = picture
    return out


def _pixels(pictures: Any) -> int:
    """Of each, as a stream or a frame says it. Raises ValueError where they are too many to be decoded."""
    try:
        check_pixels(pictures.height, pictures.width)
    except UnusableError as error:
        raise ValueError(f"it {error}") from None
    return int(pictures.height * pictures.width)


def _picture(frame: Any, height: int, width: int) -> NDArray[np.uint8]:
    turns = round(frame.rotation / 90) % 4
    if turns % 2:
        height, width = width, height
    way = "AREA" if height * width < frame.height * frame.width else "BICUBIC"
    picture = frame.to_ndarray(format="rgb24", width=width, height=height, interpolation=way)
    return np.rot90(picture, turns)
