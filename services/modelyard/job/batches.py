"""Batches in exact order as a tf.data.Dataset: each iteration gives the current epoch, from its first batch on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from keras import tree
from numpy.typing import NDArray

from modelyard.job.order import Indices, batch_count, batches, permutation

RUN_BYTES = 1 << 20
MAX_RUN = 64
"""Python gathers this much at once and TensorFlow cuts it into batches: a call into Python costs half a millisecond."""


@dataclass
class Position:
    """Where training is; the order of the data follows it."""

    epoch: int = 0
    """Counts from 0."""
    batch_size: int = 0
    """Of the data that is trained on; 0 while that is not ours."""
    steps: int = 0
    """Of an epoch of that data."""
    skip: int = 0
    """Batches of this epoch that an earlier attempt has trained on: a loop's data begins behind them."""
    resumes_loop: bool = False
    """An epoch may be shorter than it is; TensorFlow must not be promised its length."""


Gather = Callable[[Indices], Any]
"""Rows by their numbers: arrays in a structure that is always the same. Strings are objects (bytes)."""


def gather_from(arrays: Any) -> Gather:
    """Rows of equally long arrays; float64 becomes float32, once and as Keras does it."""
    kept = tree.map_structure(lambda array: array.astype(np.float32) if array.dtype == np.float64 else array, arrays)

    def gather(rows: Indices) -> Any:
        return tree.map_structure(lambda array: array[rows], kept)

    return gather


def ordered(
    gather: Gather,
    count: int,
    batch_size: int,
    *,
    seed: int,
    position: Position,
    shuffle: bool,
    is_training: bool = True,
    whole_batches: bool = True,
    prepare: Callable[..., Any] | None = None,
) -> Any:
    """A tf.data.Dataset of `gather`'s batches; its cardinality is known, so `.map` keeps Keras's step counts.

    Unshuffled data is in stored order. `prepare` maps a batch in the graph (decoding), in parallel and in order.
    `is_training`: `position` is a position in this data; `whole_batches`: a step of training takes a batch of it.
    """

    steps = batch_count(count, batch_size)
    if is_training:
        position.batch_size, position.steps = (batch_size, steps) if whole_batches else (0, 0)

    def epoch() -> Iterator[Any]:
        order = permutation(seed, position.epoch, count) if shuffle else np.arange(count)
        if is_training and position.skip:
            order, position.skip = order[position.skip * batch_size :], 0
        whole = len(order) - len(order) % batch_size
        for rows in batches(order[:whole], run * batch_size):
            yield tree.map_structure(lambda part: part.reshape(-1, batch_size, *part.shape[1:]), gather(rows))
        if whole < len(order):
            yield tree.map_structure(lambda part: part[np.newaxis], gather(order[whole:]))

    sample = gather(np.zeros(min(count, 1), np.int64))
    run = max(1, min(MAX_RUN, RUN_BYTES // max(1, batch_size * sum(map(_bytes, tree.flatten(sample))))))
    signature = tree.map_structure(_spec, sample)
    dataset = tf.data.Dataset.from_generator(epoch, output_signature=signature).unbatch()
    if prepare is not None:
        dataset = dataset.map(prepare, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    if not (is_training and position.resumes_loop):
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(steps))
    return dataset.prefetch(4)


def _bytes(rows: NDArray[Any]) -> int:
    return sum(map(len, rows.ravel())) if rows.dtype == object else rows.nbytes


def _spec(rows: NDArray[Any]) -> Any:
    """Of a run of batches."""
    return tf.TensorSpec((None, None, *rows.shape[1:]), tf.string if rows.dtype.kind in "OSU" else rows.dtype)
