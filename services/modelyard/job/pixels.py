"""One split's images at one size: mapped where they are stored raw, decoded once to scratch where they are not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from modelyard.job import images, scratch
from modelyard.job.columns import Column
from modelyard.job.errors import DatasetUnsuitable, ImageUnreadable
from modelyard.job.index import Examples
from modelyard.layouts import Feature

DECODE_CHUNK = 512


def image_shape(feature: Feature, image_size: int) -> images.Shape:
    """The shape that the network sees; raises DatasetUnsuitable where neither data nor code say a size."""
    height, width, channels = feature.shape if len(feature.shape) == 3 else (None, None, None)
    if image_size:
        height = width = image_size
    if height is None or width is None:
        raise DatasetUnsuitable("the dataset's images differ in size; say one with image_size=…", field="image_size")
    return height, width, channels or 3


def load(examples: Examples, name: str, image_size: int, folder: Path) -> NDArray[np.uint8] | None:
    """uint8 [n, height, width, channels], read-only; None for so many that they are decoded as they are read.

    Raises ImageUnreadable, naming the file, and DatasetUnsuitable.
    """
    column = examples.column(name)
    shape = image_shape(column.feature, image_size)
    raw = column.array
    if raw is not None and raw.shape[1:] == shape:
        return raw
    path = folder / f"{examples.name}.{name}-{'x'.join(map(str, shape))}.uint8"
    if not scratch.fits(path, len(examples) * int(np.prod(shape))):
        return None

    def fill(out: NDArray[np.uint8]) -> None:
        done = 0
        for chunk in _resized(raw, shape) if raw is not None else _decoded(examples, column, shape):
            out[done : done + len(chunk)] = chunk
            done += len(chunk)

    return scratch.mapped(path, (len(examples), *shape), np.uint8, fill)


def decoder(feature: Feature, shape: images.Shape) -> Any:
    """One stored image (string scalar) as `shape`, in a graph. Images of a set that claims one size must have it; only
    sets of mixed sizes, or a size asked for, are resized."""
    if feature.encoding == "raw":
        stored = feature.shape
        return lambda data: images.resize(tf.reshape(tf.io.decode_raw(data, tf.uint8), stored), shape[0], shape[1])
    if feature.shape[:2] == shape[:2]:
        return lambda data: tf.ensure_shape(images.decode(data, shape[2]), shape)
    return lambda data: images.decode_to(data, shape)


def _resized(raw: NDArray[np.uint8], shape: images.Shape) -> Iterator[NDArray[np.uint8]]:
    for start in range(0, len(raw), DECODE_CHUNK):
        yield images.resize(tf.constant(raw[start : start + DECODE_CHUNK]), shape[0], shape[1]).numpy()


def _decoded(examples: Examples, column: Column, shape: images.Shape) -> Iterator[NDArray[np.uint8]]:
    """Chunks in order, decoded on all cores."""

    def chunks() -> Iterator[NDArray[np.object_]]:
        for start in range(0, len(column), DECODE_CHUNK):
            yield column.gather(range(start, min(start + DECODE_CHUNK, len(column))))

    stored = tf.data.Dataset.from_generator(chunks, output_signature=tf.TensorSpec((None,), tf.string))
    way = decoder(column.feature, shape)
    decoded = stored.unbatch().map(way, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    done = 0
    try:
        for chunk in decoded.batch(DECODE_CHUNK).as_numpy_iterator():
            yield chunk
            done += len(chunk)
    except tf.errors.InvalidArgumentError as error:
        raise unreadable(examples, column, shape, range(done, done + DECODE_CHUNK)) from error


def unreadable(examples: Examples, column: Column, shape: images.Shape, rows: range) -> ImageUnreadable:
    """Find the file: TensorFlow says what is wrong, but not where."""
    way = decoder(column.feature, shape)
    for number in range(rows.start, min(rows.stop, len(column))):
        try:
            way(tf.constant(column.read(number)))
        except (tf.errors.InvalidArgumentError, ValueError) as error:
            path = examples.origin(number)
            return ImageUnreadable(f"{path} cannot be read as an image of {shape}: {images.reason(error)}", file=path)
    return ImageUnreadable(f"one of the examples {rows.start} to {rows.stop} cannot be decoded")
