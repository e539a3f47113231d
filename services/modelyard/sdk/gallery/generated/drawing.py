"""Drawing on images with integers."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

from modelyard.sdk.gallery.generated.draws import Draws

_LUMA = (77, 150, 29)
"""Of red, green and blue in what an eye sees as bright, of 256."""
_CONTRAST = 70


def trimmed(digit: "NDArray[np.uint8]") -> "NDArray[np.uint8]":
    """An image in grey without the black around what is on it."""
    import numpy as np

    rows, columns = np.flatnonzero(digit.any(axis=1)), np.flatnonzero(digit.any(axis=0))
    return digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def resized(grey: "NDArray[np.uint8]", height: int, width: int) -> "NDArray[np.uint8]":
    """Bilinear, with the centres of the outer pixels kept apart from the edges."""
    import numpy as np

    def places(count: int, into: int) -> "tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]":
        centres = 2 * np.arange(into, dtype=np.int64) + 1
        at: NDArray[np.int64] = (centres * count * 128 // into - 128).clip(0, (count - 1) * 256)
        low = at >> 8
        return low, np.minimum(low + 1, count - 1), at & 255

    top, bottom, down = places(grey.shape[0], height)
    left, right, across = places(grey.shape[1], width)
    values = grey.astype(np.int64)
    rows: NDArray[np.int64] = values[top] * (256 - down)[:, None] + values[bottom] * down[:, None]
    mixed: NDArray[np.int64] = (rows[:, left] * (256 - across) + rows[:, right] * across + (1 << 15)) >> 16
    return mixed.astype(np.uint8)


def crop(draws: Draws, image: "NDArray[np.uint8]", height: int, width: int) -> "NDArray[np.uint8]":
    """A part [..., height, width, channels] of an image, or of all frames of a clip at the same place."""
    whole_height, whole_width = image.shape[-3:-1]
    top, left = draws.below(whole_height - height + 1), draws.below(whole_width - width + 1)
    return image[..., top : top + height, left : left + width, :].copy()


def luma(image: "NDArray[np.uint8]") -> "NDArray[np.int64]":
    """How bright an image [..., 3] is, 0 to 255."""
    import numpy as np

    weighted: NDArray[np.int64] = (image.astype(np.int64) * np.array(_LUMA)).sum(axis=-1)
    return weighted >> 8


def blurred(grey: "NDArray[np.int64]") -> "NDArray[np.int64]":
    """Each pixel the mean of the three by three around it."""
    import numpy as np

    height, width = grey.shape
    around = np.pad(grey, 1, mode="edge")
    parts = [around[down : down + height, right : right + width] for down in range(3) for right in range(3)]
    total: NDArray[np.int64] = np.sum(parts, axis=0)
    return total // len(parts)


def tint(draws: Draws, behind: "NDArray[np.uint8]") -> tuple[int, int, int]:
    """A colour that can be told from what lies behind."""
    pixels = behind.reshape(-1, 3).astype("int64")
    average = sum(weight * (int(pixels[:, channel].sum()) // len(pixels)) for channel, weight in enumerate(_LUMA)) >> 8
    while True:
        colour = draws.below(256), draws.below(256), draws.below(256)
        luma = sum(weight * level for weight, level in zip(_LUMA, colour, strict=True)) >> 8
        if abs(luma - average) >= _CONTRAST:
            return colour


def paint(image: "NDArray[np.uint8]", shape: "NDArray[np.uint8]", top: int, left: int, colour: tuple[int, ...]) -> None:
    """Lay a colour over a part of an image, by how much `shape` says, of 255."""
    import numpy as np

    part = image[top : top + shape.shape[0], left : left + shape.shape[1]]
    share = shape.astype(np.int32)[..., None]
    mixed = part.astype(np.int32) * (255 - share) + np.array(colour, np.int32) * share
    part[...] = ((mixed + 127) // 255).astype(np.uint8)
