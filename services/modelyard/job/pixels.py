"""One split's images at one size: mapped where they are stored raw, decoded once to scratch where they are not."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from modelyard.job import images, scratch
from modelyard.job.columns import Column
from modelyard.job.decoding import Form, Portion, decoded
from modelyard.job.errors import DatasetUnsuitable
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
    return height, width, channels_of(feature) if channels else 3


def channels_of(feature: Feature) -> int:
    """1 or 3: what is transparent in a file shows white, also where all files of a set are transparent. Only pixels
    that are stored raw have whatever channels they have."""
    channels = feature.shape[-1] if len(feature.shape) == 3 else None
    return channels if channels and (feature.encoding == "raw" or channels == 1) else 3


def load(examples: Examples, name: str, image_size: int, folder: Path) -> NDArray[np.uint8] | None:
    """uint8 [n, height, width, channels], read-only; None for so many that they are decoded as they are read.

    Raises RowsUnreadable, naming all that cannot be decoded, and DatasetUnsuitable.
    """
    column = examples.column(name)
    shape = image_shape(column.feature, image_size)
    raw = column.array
    if raw is not None and raw.shape[1:] == shape:
        return raw

    def portions() -> Iterator[Portion]:
        return _resized(raw, shape) if raw is not None else _decoded(column, shape)

    return decoded(examples, name, Form("x".join(map(str, shape)), shape, np.uint8), portions, folder)


def decoder(feature: Feature, shape: images.Shape) -> Callable[[Any], Any]:
    """One stored image (string scalar) as `shape`, in a graph. Images of a set that claims one size must have it; only
    sets of mixed sizes, or a size asked for, are resized."""
    if feature.encoding == "raw":
        stored = feature.shape
        return lambda data: images.resize(tf.reshape(tf.io.decode_raw(data, tf.uint8), stored), shape[0], shape[1])
    if feature.shape[:2] == shape[:2]:
        return lambda data: tf.ensure_shape(images.decode(data, shape[2]), shape)
    return lambda data: images.decode_to(data, shape)


def chosen(column: Column, shape: images.Shape, rows: "range | list[int]") -> Portion:
    """A few of them, each by itself."""
    way = decoder(column.feature, shape)
    out = np.zeros((len(rows), *shape), np.uint8)
    reasons: dict[int, str] = {}

    def put(place: int) -> None:
        try:
            out[place] = way(tf.constant(column.read(rows[place]))).numpy()
        except (tf.errors.InvalidArgumentError, ValueError) as error:
            reasons[place] = f"cannot be read as an image of {shape}: {images.reason(error)}"

    scratch.in_threads(len(rows), put)
    return Portion(out, reasons)


def _resized(raw: NDArray[np.uint8], shape: images.Shape) -> Iterator[Portion]:
    for start in range(0, len(raw), DECODE_CHUNK):
        part = tf.constant(raw[start : start + DECODE_CHUNK])
        yield Portion(images.resize(part, shape[0], shape[1]).numpy())


def _decoded(column: Column, shape: images.Shape) -> Iterator[Portion]:
    """Chunks in order, decoded on all cores; TensorFlow says of a chunk that something in it is wrong, but not what, so
    such a chunk is gone through image by image."""
    done = 0
    while done < len(column):
        try:
            for values in _stream(column, shape, done).as_numpy_iterator():
                yield Portion(values)
                done += len(values)
        except tf.errors.InvalidArgumentError:
            rows = range(done, min(done + DECODE_CHUNK, len(column)))
            yield chosen(column, shape, rows)
            done = rows.stop


def _stream(column: Column, shape: images.Shape, first: int) -> Any:
    def chunks() -> Iterator[NDArray[np.object_]]:
        for start in range(first, len(column), DECODE_CHUNK):
            yield column.gather(range(start, min(start + DECODE_CHUNK, len(column))))

    stored = tf.data.Dataset.from_generator(chunks, output_signature=tf.TensorSpec((None,), tf.string))
    way = decoder(column.feature, shape)
    return stored.unbatch().map(way, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).batch(DECODE_CHUNK)
