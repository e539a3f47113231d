"""How often which of 256 levels occurs in images, and which images have one colour only."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

SMALL = 1 << 14
"""Images of fewer pixels are counted many at a time: a call for each would take longer than counting."""
_TOGETHER_BYTES = 4 << 20
TRANSPARENT = ("LA", "RGBA")
_WIDE = 1 << 12


class Levels:
    """Of images in the modes L, LA, RGB and RGBA; transparency is no colour."""

    def __init__(self) -> None:
        self.counts = np.zeros(256, np.int64)
        self.plain = 0
        self._waiting: dict[tuple[str, tuple[int, int]], list[bytes]] = {}
        self._waiting_bytes = 0

    def add(self, picture: "Image.Image") -> None:
        """Counted at the latest when `settle` is called."""
        if picture.width * picture.height > SMALL:
            bands = np.array(picture.histogram(), np.int64).reshape(-1, 256)
            self.counts += (bands[:-1] if picture.mode in TRANSPARENT else bands).sum(0)
            self.plain += bool((np.count_nonzero(bands, 1) == 1).all())
            return
        data = picture.tobytes()
        self._waiting.setdefault((picture.mode, picture.size), []).append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes > _TOGETHER_BYTES:
            self.settle()

    def settle(self) -> None:
        """Count what waits."""
        for (mode, (width, height)), images in self._waiting.items():
            pixels = np.frombuffer(b"".join(images), np.uint8).reshape(len(images), width * height, -1)
            self.plain += int((pixels == pixels[:, :1]).all((1, 2)).sum())
            colours = pixels[..., :-1] if mode in TRANSPARENT else pixels
            self.counts += counted(colours)
        self._waiting, self._waiting_bytes = {}, 0


def counted(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How often each of the 256 levels occurs. Pillow counts bytes; NumPy would first make eight bytes of each."""
    flat = np.ascontiguousarray(pixels).ravel()
    rows = len(flat) // _WIDE
    counts = np.bincount(flat[rows * _WIDE :], minlength=256)
    if rows:
        from PIL import Image

        whole = Image.frombuffer("L", (_WIDE, rows), flat[: rows * _WIDE], "raw", "L", 0, 1)
        counts += np.array(whole.histogram(), np.int64)
    return counts
