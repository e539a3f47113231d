"""Batches in exact order as a tf.data.Dataset: each iteration gives the current epoch, from its first batch on.

Python says which rows come, once an epoch, and TensorFlow gathers them out of whole columns. Columns that do not fit
are gathered in Python, about a MiB at a time: a call into Python costs half a millisecond.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from keras import tree
from numpy.typing import NDArray

from modelyard.job.order import Indices, batch_count, blocks, permutation, runs
from modelyard.job.spread import spread
from modelyard.job.values import Values

RUN_BYTES = 1 << 20
LEAST_RUN, MAX_RUN = 4, 64
"""Batches that are gathered together and cut apart afterwards, where they are small: that copies them a second time."""
SOME = 16
"""Examples whose mean length tells how many batches that is."""


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


def ordered(
    columns: Any,
    count: int,
    batch_size: int,
    *,
    seed: int,
    position: Position,
    shuffle: bool,
    is_training: bool = True,
    whole_batches: bool = True,
) -> Any:
    """A tf.data.Dataset of batches of `columns`: Values of `count` examples each, in any structure.

    Its cardinality is known, so `.map` keeps Keras's step counts. Unshuffled data is in stored order.
    `is_training`: `position` is a position in this data; `whole_batches`: a step of training takes a batch of it.
    """
    steps = batch_count(count, batch_size)
    if is_training:
        position.batch_size, position.steps = (batch_size, steps) if whole_batches else (0, 0)
    leaves: list[Values] = tree.flatten(columns)
    samples = [leaf.gather(np.zeros(min(count, 1), np.int64)) for leaf in leaves]
    example = sum(_example_bytes(leaf, sample, count) for leaf, sample in zip(leaves, samples, strict=True))
    run = min(MAX_RUN, RUN_BYTES // max(1, batch_size * example))
    run = run if run >= LEAST_RUN else 1
    outside = [leaf for leaf in leaves if leaf.tensor is None]

    def order() -> Indices:
        rows = permutation(seed, position.epoch, count) if shuffle else np.arange(count)
        if is_training and position.skip:
            rows, position.skip = rows[position.skip * batch_size :], 0
        return rows

    def gathered() -> Iterator[Any]:
        for rows in runs(order(), batch_size, run):
            found = [leaf.gather(rows.ravel()) for leaf in outside]
            yield rows, *(part.reshape(*rows.shape, *part.shape[1:]) for part in found)

    def numbered(_: Any) -> Any:
        # One call into Python for an epoch; a generator would make several.
        found = tf.numpy_function(lambda: blocks(order(), batch_size, run), [], [tf.int64] * 3)
        shaped = [tf.ensure_shape(rows, (None, None, None)) for rows in found]
        even, rest, last = map(tf.data.Dataset.from_tensor_slices, shaped)
        return even.concatenate(rest).concatenate(last)

    def complete(rows: Any, *given: Any) -> Any:
        parts = iter(given)
        return tree.pack_sequence_as(
            columns, [next(parts) if leaf.tensor is None else tf.gather(leaf.tensor, rows) for leaf in leaves]
        )

    def prepare(*batch: Any) -> Any:
        # A dataset hands a tuple's parts over one by one.
        parts = tree.flatten(batch if isinstance(columns, tuple) else batch[0])
        done = [part if leaf.prepare is None else leaf.prepare(part) for leaf, part in zip(leaves, parts, strict=True)]
        return tree.pack_sequence_as(columns, done)

    def by_batch(rows: Any, *given: Any) -> Any:
        return complete(rows[0], *(part[0] for part in given))

    if outside:
        specs = [_spec(sample) for leaf, sample in zip(leaves, samples, strict=True) if leaf.tensor is None]
        numbers = tf.TensorSpec((None, None), tf.int64)
        dataset = tf.data.Dataset.from_generator(gathered, output_signature=(numbers, *specs))
    else:
        dataset = tf.data.Dataset.from_tensors(0).flat_map(numbered)
    dataset = _mapped(dataset, by_batch) if run == 1 else _mapped(dataset, complete).unbatch()
    if any(leaf.prepare is not None for leaf in leaves):
        dataset = dataset.map(prepare, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    if not (is_training and position.resumes_loop):
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(steps))
    return dataset.prefetch(4)


def _mapped(dataset: Any, function: Callable[..., Any]) -> Any:
    """`dataset.map(function)`, on the thread that asks for a batch: `map` wakes another for each, which takes
    longer than the batch's copy, and only its operation has the argument that says not to."""
    given = dataset.element_spec if isinstance(dataset.element_spec, tuple) else (dataset.element_spec,)
    graph = tf.function(function, autograph=False).get_concrete_function(*given)
    found = tf.nest.map_structure(lambda part: tf.TensorSpec(part.shape, part.dtype), graph.structured_outputs)
    parts = tf.nest.flatten(found)
    variant = tf.raw_ops.MapDataset(
        input_dataset=tf.data.experimental.to_variant(dataset),
        other_arguments=graph.captured_inputs,
        f=graph,
        output_types=[part.dtype for part in parts],
        output_shapes=[part.shape for part in parts],
        use_inter_op_parallelism=False,
        preserve_cardinality=True,
    )
    return tf.data.experimental.from_variant(variant, found)


def _example_bytes(leaf: Values, first: NDArray[Any], count: int) -> int:
    """Of one of them; texts and files are not all as long as the first."""
    if first.dtype != object:
        return first.nbytes
    some = leaf.gather(spread(count, SOME))
    return sum(map(len, some.ravel())) // max(1, len(some))


def _spec(rows: NDArray[Any]) -> Any:
    """Of a run of batches."""
    return tf.TensorSpec((None, None, *rows.shape[1:]), tf.string if rows.dtype.kind in "OSU" else rows.dtype)
