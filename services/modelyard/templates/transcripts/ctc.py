"""Connectionist temporal classification, in the graph. Logits are [n, steps, symbols + 1], blank first.

Source: Graves 2006, "Connectionist Temporal Classification" (ICML): the loss, the best path, and prefix search.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import keras
import numpy as np
import tensorflow as tf

BEAM_WIDTH, BEAMS = 32, 5


def steps_needed(text: Sequence[Any]) -> int:
    """One for each symbol, and a blank between two that are the same."""
    return len(text) + sum(one == other for one, other in pairwise(text))


def best_path(logits: Any) -> Any:
    """[n, steps]: at each step the likeliest symbol's number, 0 where it is the blank or the one before goes on."""
    best = tf.argmax(logits, -1, output_type=tf.int32)
    before = tf.pad(best[:, :-1], [[0, 0], [1, 0]])
    return tf.where(tf.equal(best, before), 0, best)


def greedy(logits: Any, symbols: Sequence[str]) -> dict[str, Any]:
    """`transcript` string [n], and `confidence` float32 [n], the probability of the path that it was read from."""
    names = tf.constant(["", *symbols])
    transcript = tf.strings.reduce_join(tf.gather(names, best_path(logits)), -1)
    confidence = tf.exp(tf.reduce_sum(tf.reduce_max(tf.nn.log_softmax(logits), -1), -1))
    return {"transcript": transcript, "confidence": confidence}


def beam(logits: Any, symbols: Sequence[str]) -> dict[str, Any]:
    """`transcripts` string [n, BEAMS], the likeliest first, and `scores` float32 [n, BEAMS], their logarithms:
    all paths that read the same count together."""
    blank_last = tf.transpose(tf.roll(logits, -1, -1), [1, 0, 2])
    lengths = tf.fill([tf.shape(logits)[0]], tf.shape(logits)[1])
    paths, scores = tf.nn.ctc_beam_search_decoder(blank_last, lengths, BEAM_WIDTH, BEAMS)
    names = tf.constant(["", *symbols])
    texts = [tf.strings.reduce_join(tf.gather(names, tf.sparse.to_dense(each, -1) + 1), -1) for each in paths]
    return {"transcripts": tf.stack(texts, 1), "scores": scores}


class CharacterErrors(keras.metrics.Metric):
    """Symbols that are wrong, lacking or too many in what the best path reads, of those that are there."""

    def __init__(self, name: str = "cer", **about: Any) -> None:
        super().__init__(name=name, **about)
        self._edits = self.add_variable((), "zeros", name="edits")
        self._symbols = self.add_variable((), "zeros", name="symbols")

    def update_state(self, truth: Any, logits: Any, sample_weight: Any = None) -> None:
        read = best_path(logits)
        true = tf.cast(truth, tf.int32)
        edits = tf.edit_distance(_sparse(read), _sparse(true), normalize=False)
        self._edits.assign_add(tf.reduce_sum(edits))
        self._symbols.assign_add(tf.reduce_sum(tf.cast(true > 0, tf.float32)))

    def result(self) -> Any:
        return self._edits / tf.maximum(self._symbols, 1.0)


def _sparse(numbers: Any) -> Any:
    """Each row's numbers that are not 0, closed up."""
    return tf.ragged.boolean_mask(numbers, numbers > 0).with_row_splits_dtype(tf.int64).to_sparse()


def compile_model(model: keras.Model, learning_rate: float, steps: int) -> None:
    """For `steps` steps, along a cosine."""
    rate = keras.optimizers.schedules.CosineDecay(learning_rate, steps, alpha=0.01)
    model.compile(
        optimizer=keras.optimizers.Adam(rate, global_clipnorm=5.0),
        loss=keras.losses.CTC(),
        metrics=[CharacterErrors()],
        # Edits are counted by an operation that XLA does not have.
        jit_compile=False,
    )


def first_guess(symbols: int) -> Any:
    """The bias of the last layer: mostly blank, as a transcript is much shorter than its steps."""
    bias = np.zeros(symbols + 1, np.float32)
    bias[0] = np.log(symbols)
    return keras.initializers.Constant(bias)
