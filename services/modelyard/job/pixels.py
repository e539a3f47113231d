"""One split's images at one size: mapped where they are stored raw, decoded once to scratch where they are not.

Decoding once makes every later epoch as fast as arrays in memory; only sets that would fill the disk are decoded as
they are read.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from modelyard.job import images
from modelyard.job.errors import DatasetUnsuitable, ImageUnreadable
from modelyard.job.examples import Examples

MAX_SCRATCH_BYTES = 8 << 30
DECODE_CHUNK = 512


@dataclass(frozen=True, slots=True)
class Pixels:
    """The examples of one split; `array` is None where they are decoded batch by batch."""

    examples: Examples
    shape: images.Shape
    array: NDArray[np.uint8] | None
    """uint8 [count, height, width, channels], read-only."""

    def encoded(self, numbers: NDArray[np.int64]) -> NDArray[np.object_]:
        """The stored bytes of these examples."""
        return np.array([self.examples.read(int(number)) for number in numbers], object)


def image_shape(stored: tuple[int | None, int | None, int | None], image_size: int) -> images.Shape:
    """The shape that the network sees; raises DatasetUnsuitable where neither data nor code say a size."""
    height, width, channels = stored
    if image_size:
        height = width = image_size
    if height is None or width is None:
        raise DatasetUnsuitable("the dataset's images differ in size; say one with image_size=…", field="image_size")
    return height, width, channels or 3


def load(examples: Examples, image_size: int, scratch: Path) -> Pixels:
    """Raises ImageUnreadable, naming the file, and DatasetUnsuitable."""
    shape = image_shape(examples.image_shape, image_size)
    raw = examples.raw
    if raw is not None and raw.shape[1:] == shape:
        return Pixels(examples, shape, np.asarray(raw))
    size = len(examples) * int(np.prod(shape))
    if size > MAX_SCRATCH_BYTES and raw is None:
        return Pixels(examples, shape, None)
    path = scratch / f"{examples.name}-{'x'.join(map(str, shape))}.uint8"
    if not path.exists():
        partial = path.with_suffix(".partial")
        with partial.open("wb") as out:
            for chunk in _resized(raw, shape) if raw is not None else _decoded(examples, shape):
                out.write(chunk.tobytes())
        partial.rename(path)
    if not len(examples):
        return Pixels(examples, shape, np.zeros((0, *shape), np.uint8))
    return Pixels(examples, shape, np.asarray(np.memmap(path, np.uint8, "r", 0, (len(examples), *shape))))


def _resized(raw: NDArray[np.uint8], shape: images.Shape) -> Iterator[NDArray[np.uint8]]:
    for start in range(0, len(raw), DECODE_CHUNK):
        yield images.resize(tf.constant(raw[start : start + DECODE_CHUNK]), shape[0], shape[1]).numpy()


def _decoded(examples: Examples, shape: images.Shape) -> Iterator[NDArray[np.uint8]]:
    """Chunks in order, decoded on all cores."""

    def chunks() -> Iterator[NDArray[np.object_]]:
        for start in range(0, len(examples), DECODE_CHUNK):
            numbers = range(start, min(start + DECODE_CHUNK, len(examples)))
            yield np.array([examples.read(number) for number in numbers], object)

    stored = tf.data.Dataset.from_generator(chunks, output_signature=tf.TensorSpec((None,), tf.string))
    decoded = stored.unbatch().map(_decoder(examples, shape), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    done = 0
    try:
        for chunk in decoded.batch(DECODE_CHUNK).as_numpy_iterator():
            yield chunk
            done += len(chunk)
    except tf.errors.InvalidArgumentError as error:
        raise _unreadable(examples, shape, done) from error


def _decoder(examples: Examples, shape: images.Shape) -> Any:
    """Images of a set that claims one size must have it; only sets of mixed sizes, or a size asked for, are resized."""
    if examples.image_shape[:2] == shape[:2]:
        return lambda data: tf.ensure_shape(images.decode(data, shape[2]), shape)
    return lambda data: images.decode_to(data, shape)


def _unreadable(examples: Examples, shape: images.Shape, start: int) -> ImageUnreadable:
    """Find the file: TensorFlow says what is wrong, but not where."""
    decoder = _decoder(examples, shape)
    for number in range(start, min(start + DECODE_CHUNK, len(examples))):
        try:
            decoder(tf.constant(examples.read(number)))
        except (tf.errors.InvalidArgumentError, ValueError) as error:
            path = examples.path(number)
            return ImageUnreadable(f"{path} cannot be read as an image of {shape}: {_reason(error)}", file=path)
    return ImageUnreadable(f"one of the examples {start} to {start + DECODE_CHUNK} cannot be decoded")


def _reason(error: Exception) -> str:
    """TensorFlow's sentence without the names of its graph's nodes."""
    text = re.sub(r"\{\{.*?\}\}|\[Op:\w+\].*", "", str(error)).strip()
    return text.split("\n", 1)[0][:200] or type(error).__name__


def load_some(examples: Examples, shape: images.Shape, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """A few examples spread over the split: images and labels."""
    numbers = np.unique(np.linspace(0, len(examples) - 1, min(count, len(examples))).astype(np.int64))
    if examples.raw is not None:
        chosen = images.resize(tf.constant(examples.raw[numbers]), shape[0], shape[1]).numpy()
    else:
        chosen = images.decode_batch(tf.constant([examples.read(int(number)) for number in numbers]), shape).numpy()
    return chosen, examples.labels[numbers]
