"""Videos as uint8 [frames, height, width, 3]: so many frames, evenly spaced from the first to the last."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.layouts import pictures
from modelyard.layouts.heads import UnusableError
from modelyard.layouts.videos import MAX_PIXELS, UNTURNED, Turn, changes_sides

MAX_FRAMES = 1 << 20
"""Of one file; more are not looked at."""


def decode(data: bytes, frames: int, height: int, width: int) -> NDArray[np.uint8]:
    """Frames of an MP4, WebM or GIF at this size; of one that has fewer, some come several times.

    Memory does not grow with the video: it is gone through twice. Raises ValueError for what is no video, and for one
    that is larger than MAX_PIXELS.
    """
    import av

    try:
        with av.open(io.BytesIO(data), "r") as container:
            count = count_frames(container, stream_of(container))
        if not count:
            raise ValueError("it holds no frame")
        wanted = np.round(np.linspace(0, count - 1, frames)).astype(np.int64)
        return _pick(data, wanted, height, width)
    except UnusableError as error:
        raise ValueError(f"it {error}") from error
    except av.FFmpegError as error:
        raise ValueError(reason(error)) from error


def stream_of(container: Any) -> Any:
    """The first stream of pictures of an opened file; no frame of it that is too large is decoded.

    Raises UnusableError for none, and for too large ones.
    """
    if not container.streams.video:
        raise UnusableError("has no video track")
    stream = container.streams.video[0]
    pictures.check_pixels(int(stream.height), int(stream.width))
    # Files are decoded side by side.
    stream.codec_context.thread_count = 1
    # Frames may be larger than their stream says.
    stream.codec_context.options = {"max_pixels": str(pictures.MAX_PIXELS)}
    return stream


def count_frames(container: Any, stream: Any) -> int:
    """How many there are, without decoding them; at most MAX_FRAMES. Raises UnusableError for too many pixels."""
    height, width = int(stream.height), int(stream.width)
    count = 0
    for packet in container.demux(stream):
        count += packet.size > 0
        if count * height * width > MAX_PIXELS:
            raise UnusableError(
                f"has more than {count - 1:,} frames of {width:,} × {height:,} pixels, too much to be decoded"
            )
        if count >= MAX_FRAMES:
            break
    return count


def frames_of(container: Any, stream: Any) -> Iterator[Any]:
    """Each, decoded. Raises UnusableError where all together have too many pixels: a stream may change its size."""
    pixels = 0
    for number, frame in enumerate(container.decode(stream)):
        pixels += frame.height * frame.width
        if pixels > MAX_PIXELS:
            raise UnusableError(
                f"has more than {MAX_PIXELS:,} pixels in its first {number + 1:,} frames, too much to be decoded"
            )
        yield frame


def turn_of(frame: Any) -> Turn:
    """How it is to be turned before it is looked at, as the file says it."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return UNTURNED
    a, b, _, c, d = np.frombuffer(matrix, np.int32, 5).tolist()
    return a, b, c, d


def turned(picture: NDArray[np.uint8], turn: Turn) -> NDArray[np.uint8]:
    """A picture [height, width, 3] as it is shown: by quarters, and mirrored where the file says so."""
    a, b, c, d = turn
    if changes_sides(turn):
        picture, across, down = picture.swapaxes(0, 1), c, b
    else:
        across, down = a, d
    return picture[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]


def reason(error: Any) -> str:
    """Why FFmpeg decodes no further, in words."""
    import av

    said = str(error.strerror or error)
    if isinstance(error, av.ArgumentError):
        return f"{said}: a frame is damaged, or has more than {pictures.MAX_PIXELS / 1e6:.0f} million pixels"
    return said


def _pick(data: bytes, wanted: NDArray[np.int64], height: int, width: int) -> NDArray[np.uint8]:
    import av

    out = np.zeros((len(wanted), height, width, 3), np.uint8)
    filled, picture = 0, None
    with av.open(io.BytesIO(data), "r") as container:
        for number, frame in enumerate(frames_of(container, stream_of(container))):
            if number < wanted[filled]:
                continue
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


def _picture(frame: Any, height: int, width: int) -> NDArray[np.uint8]:
    turn = turn_of(frame)
    if changes_sides(turn):
        height, width = width, height
    way = "AREA" if height * width < frame.height * frame.width else "BICUBIC"
    picture = frame.to_ndarray(format="rgb24", width=width, height=height, interpolation=way)
    return turned(picture, turn)
