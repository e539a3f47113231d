"""The output `run`: TensorBoard's event files, and the pictures as PNG files.

tensorboard/train       scalars, texts, images
tensorboard/validation  the same scalars of the held-out split, so that one chart shows both
images/<name>/<step>.png
"""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from modelyard.job.errors import ContextMisused

VALIDATION = "val_"
MAX_TILES = 64


def _plugin(name: str, data_class: int) -> Any:
    metadata = tf.compat.v1.SummaryMetadata(data_class=data_class)
    metadata.plugin_data.plugin_name = name
    return metadata


_SCALARS, _TEXTS, _IMAGES = _plugin("scalars", 1), _plugin("text", 2), _plugin("images", 3)


class Board:
    """Writes what is reported. Files appear with the first report."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, Any] = {}

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """A point in each curve."""
        for name, value in values.items():
            held_out = name.startswith(VALIDATION)
            with self._writer("validation" if held_out else "train").as_default(step):
                tag = name.removeprefix(VALIDATION) if held_out else name
                tf.summary.write(tag, tf.constant(value, tf.float32), metadata=_SCALARS)

    def text(self, step: int, name: str, text: str) -> None:
        """Shown as Markdown."""
        with self._writer("train").as_default(step):
            tf.summary.write(name, tf.constant(text), metadata=_TEXTS)

    def image(self, step: int, name: str, picture: NDArray[np.uint8]) -> str:
        """Keep uint8 [height, width, 1, 3 or 4]; answers where it lies, relative to the output."""
        place = f"images/{_file_name(name)}/{step}.png"
        path = self._folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        png = tf.io.encode_png(picture).numpy()
        path.write_bytes(png)
        height, width, _ = picture.shape
        with self._writer("train").as_default(step):
            tf.summary.write(name, tf.constant([str(width), str(height), png]), metadata=_IMAGES)
        return place

    def flush(self) -> None:
        """What is written is in the files."""
        for writer in self._writers.values():
            writer.flush()

    def _writer(self, part: str) -> Any:
        if part not in self._writers:
            folder = self._folder / "tensorboard" / part
            self._writers[part] = tf.summary.create_file_writer(str(folder), flush_millis=10_000)
        return self._writers[part]


def picture_of(values: Any) -> NDArray[np.uint8]:
    """An image [h, w] or [h, w, 1, 3 or 4], or up to 64 of them [n, h, w, channels] as tiles of one.

    Floats are in 0..1. Raises ContextMisused for anything else.
    """
    array = np.asarray(values)
    if array.dtype.kind == "f":
        array = np.clip(np.nan_to_num(array) * 255.0, 0, 255).round().astype(np.uint8)
    elif array.dtype == bool:
        array = array.astype(np.uint8) * 255
    elif array.dtype != np.uint8:
        raise ContextMisused(f"an image is uint8 (0 to 255) or float (0 to 1), not {array.dtype}")
    if array.ndim == 2:
        array = array[..., np.newaxis]
    if array.ndim == 4:
        array = _tiles(array[:MAX_TILES])
    if array.ndim != 3 or array.shape[-1] not in (1, 3, 4) or not array.size:
        raise ContextMisused(
            f"an image has the shape [height, width] or [height, width, 1, 3 or 4], not {np.shape(values)}"
        )
    return array


def _tiles(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    count, height, width, channels = pictures.shape
    across = max(1, math.ceil(math.sqrt(count)))
    down = max(1, math.ceil(count / across))
    filled = np.zeros((down * across, height, width, channels), np.uint8)
    filled[:count] = pictures
    rows = filled.reshape(down, across, height, width, channels).transpose(0, 2, 1, 3, 4)
    return rows.reshape(down * height, across * width, channels)


def _file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name).strip(".")[:80] or "image"
