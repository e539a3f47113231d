"""An example as a report shows it: its picture, its sound, its texts, its columns' values, and where it lies."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.job.columns import Column
from modelyard.job.index import Examples
from modelyard.layouts import Feature, clips
from modelyard.layouts.pictures import image_shape
from modelyard.layouts.videos import video_size
from modelyard.templates.evaluate.pictures import LARGEST_SIDE, data_uri
from modelyard.templates.evaluate.sounds import exhibited

STRIP = 8
"""Frames of a video."""
FRAME_SIDE = 96
"""Pixels that the longer side of each has at most."""
MOST_TEXT = 600
"""Characters of a text."""
MOST_VALUE = 80
"""Characters of a value in a column."""


def exhibit(examples: Examples, features: Iterable[Feature], row: int) -> dict[str, Any]:
    """`path`, and as far as the features have it `image` (a data URI; of a video so many `frames` side by side),
    `sound`, and `texts` and `values` by feature."""
    texts: dict[str, str] = {}
    values: dict[str, str | float | None] = {}
    found: dict[str, Any] = {"path": examples.origin(row)}
    for feature in features:
        column = examples.column(feature.name)
        match feature.kind:
            case "image":
                found["image"] = data_uri(_picture(column, row))
            case "video":
                found |= {"image": data_uri(_strip(column, row), STRIP * LARGEST_SIDE), "frames": STRIP}
            case "text":
                texts[feature.name] = _text(column, row, MOST_TEXT)
            case "audio":
                found["sound"] = exhibited(column, row)
            case "boxes":
                pass
            case _ if feature.dtype == "string":
                values[feature.name] = _text(column, row, MOST_VALUE)
            case "category":
                numbers = np.atleast_1d(column.values[row]).ravel()
                names = [feature.classes[number] for number in numbers.tolist() if number >= 0]
                values[feature.name] = ", ".join(names) if names else None
            case _ if feature.shape == ():
                value = float(column.values[row])
                values[feature.name] = value if math.isfinite(value) else None
    return found | ({"texts": texts} if texts else {}) | ({"values": values} if values else {})


def _strip(column: Column, row: int) -> NDArray[np.uint8]:
    """Frames of a clip side by side, evenly spaced from the first to the last: [height, width, 3]."""
    video = video_size(column.file(row))
    smaller = max(1.0, max(video.height, video.width) / FRAME_SIDE)
    height, width = max(1, round(video.height / smaller)), max(1, round(video.width / smaller))
    frames = clips.decode(column.read(row), STRIP, height, width)
    return np.concatenate(list(frames), 1)


def _picture(column: Column, row: int) -> Any:
    if column.array is not None:
        return column.array[row]
    feature = column.feature
    if feature.encoding == "raw":
        return np.frombuffer(column.read(row), np.uint8).reshape(feature.shape)
    # Its decoder comes with TensorFlow, which nothing else here needs.
    import tensorflow as tf

    from modelyard.job import images

    _, shape = image_shape(column.file(row))
    return images.decode_to(tf.constant(column.read(row)), shape).numpy()


def _text(column: Column, row: int, most: int) -> str:
    """The beginning; four bytes are the longest character."""
    text = column.part(row, 0, 4 * most + 4).decode("utf-8", "replace")
    return text if len(text) <= most else text[: most - 1] + "…"
