"""The output `run`: TensorBoard's event files, and the pictures as PNG files.

tensorboard/train       scalars, texts, images
tensorboard/validation  the same scalars of the held-out split, so that one chart shows both
images/<name>/<step>.png

It is the whole job's: an attempt that goes on from a checkpoint finds what the earlier ones have drawn.
"""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from modelyard.job import event_files
from modelyard.job.errors import ContextMisused

VALIDATION = "val_"
MAX_TILES = 64
FULL_BYTES = 1 << 20
"""Of an event file: what is in full ones is stored once, and not with each checkpoint again."""
_TRAIN, _HELD_OUT = "tensorboard/train", "tensorboard/validation"


def _plugin(name: str, data_class: int) -> Any:
    metadata = tf.compat.v1.SummaryMetadata(data_class=data_class)
    metadata.plugin_data.plugin_name = name
    return metadata


_SCALARS, _TEXTS, _IMAGES = _plugin("scalars", 1), _plugin("text", 2), _plugin("images", 3)


class Board:
    """Writes what is reported. Files appear with the first report."""

    def __init__(self, folder: Path, *, attempt: int = 1, resumed: int | None = None) -> None:
        """`resumed` is the step that an earlier attempt's checkpoint was made at: what lies in `folder` was drawn by
        earlier attempts, and all behind that step will be drawn once more."""
        self._folder = folder
        self._writers: dict[str, Any] = {}
        self._resumed = resumed
        self._drawn: set[event_files.Place] = set()
        """What earlier attempts have drawn at `resumed`; code may report it again on its way back."""
        if resumed is not None:
            self._drawn = event_files.take_over(folder, (_TRAIN, _HELD_OUT), resumed, attempt)
            for path in folder.glob("images/*/*.png"):
                if path.stem.isdigit() and int(path.stem) > resumed:
                    path.unlink()

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """A point in each curve."""
        for name, value in values.items():
            held_out = name.startswith(VALIDATION)
            tag = name.removeprefix(VALIDATION) if held_out else name
            self._write(_HELD_OUT if held_out else _TRAIN, step, tag, tf.constant(value, tf.float32), _SCALARS)

    def text(self, step: int, name: str, text: str) -> None:
        """Shown as Markdown."""
        self._write(_TRAIN, step, name, tf.constant(text), _TEXTS)

    def image(self, step: int, name: str, picture: NDArray[np.uint8]) -> str:
        """Keep uint8 [height, width, 1, 3 or 4]; answers where it lies, relative to the output."""
        place = f"images/{_file_name(name)}/{step}.png"
        path = self._folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        png = tf.io.encode_png(picture).numpy()
        path.write_bytes(png)
        height, width, _ = picture.shape
        self._write(_TRAIN, step, name, tf.constant([str(width), str(height), png]), _IMAGES)
        return place

    def flush(self) -> None:
        """What is written is in the files."""
        for part, writer in list(self._writers.items()):
            writer.flush()
            newest = max((self._folder / part).glob(f"events*{event_files.MARK}*"), key=_changed_at, default=None)
            if newest is not None and newest.stat().st_size >= FULL_BYTES:
                writer.close()
                del self._writers[part]

    def _write(self, part: str, step: int, tag: str, value: Any, metadata: Any) -> None:
        if step == self._resumed and (part, tag) in self._drawn:
            self._drawn.remove((part, tag))
            return
        with self._writer(part).as_default(step):
            tf.summary.write(tag, value, metadata=metadata)

    def _writer(self, part: str) -> Any:
        if part not in self._writers:
            self._writers[part] = tf.summary.create_file_writer(str(self._folder / part), flush_millis=10_000)
        return self._writers[part]


def _changed_at(path: Path) -> int:
    return path.stat().st_mtime_ns


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
