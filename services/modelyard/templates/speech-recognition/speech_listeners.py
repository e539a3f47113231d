"""What listens: float32 [n, samples] in, logits [n, steps of 40 ms, symbols + 1] out."""

from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

from modelyard.templates.hearing.log_mel import LogMel
from modelyard.templates.transcripts.ctc import first_guess

WIDTHS = (32, 48, 64)
SHIFT_PITCH = 0.05
SILENCED = ((0, 0.05), (1, 0.15))
"""Axis and the most of it that is silenced at once."""


def build(
    network: str,
    *,
    rate: int,
    samples: int,
    bands: int,
    symbols: int,
    units: int,
    depth: int,
    dropout: float,
    augment: bool,
    seed: int,
) -> keras.Model:
    """The network called `network`, with `depth` layers that read in order."""
    given = keras.Input((samples,), dtype="float32", name="samples")
    state = ops.expand_dims(LogMel(rate, bands, name="log_mel")(given), -1)
    if augment:
        state = layers.RandomTranslation(0.0, SHIFT_PITCH, fill_mode="constant", seed=seed)(state)
        state = Silenced(seed + 1, name="silenced")(state)
    state = layers.MaxPooling2D(2, padding="same")(_block(state, WIDTHS[0], 5, 2))
    for width in WIDTHS[1:]:
        state = layers.MaxPooling2D((1, 2), padding="same")(_block(state, width, 3, 1))
    _, steps, high, width = state.shape
    found = layers.Reshape((steps, high * width))(state)
    for _ in range(depth):
        found = LISTENERS[network](layers.Dropout(dropout)(found), units)
    bias = first_guess(symbols)
    logits = layers.Dense(symbols + 1, bias_initializer=bias, name="logits")(layers.Dropout(dropout)(found))
    return keras.Model(given, logits, name=f"{network}-listener")


def _block(state: Any, width: int, size: int, stride: int) -> Any:
    state = layers.Conv2D(width, size, stride, padding="same", use_bias=False)(state)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(state))


LISTENERS = {
    "gru": lambda steps, units: layers.Bidirectional(layers.GRU(units, return_sequences=True))(steps),
    "lstm": lambda steps, units: layers.Bidirectional(layers.LSTM(units, return_sequences=True))(steps),
    "cnn": lambda steps, units: layers.Conv1D(2 * units, 3, padding="same", activation="relu")(steps),
}


@keras.saving.register_keras_serializable("modelyard")
class Silenced(keras.layers.Layer):
    """While training, a stretch of time and some bands of each spectrum [n, frames, bands, 1] become silence, so that
    no single one is relied on. Source: Park 2019, "SpecAugment", arXiv:1904.08779."""

    def __init__(self, seed: int, **about: Any) -> None:
        super().__init__(**about)
        self.seed = seed
        self._random = keras.random.SeedGenerator(seed)

    def call(self, spectra: Any, training: bool = False) -> Any:
        if not training:
            return spectra
        shape = tf.shape(spectra)
        kept = tf.ones((shape[0], 1, 1, 1))
        for axis, most in SILENCED:
            size = shape[1 + axis]
            at = tf.range(tf.cast(size, tf.float32))[tf.newaxis]
            length = keras.random.uniform((shape[0], 1), seed=self._random) * most * tf.cast(size, tf.float32)
            start = keras.random.uniform((shape[0], 1), seed=self._random) * tf.cast(size, tf.float32)
            outside = tf.cast((at < start) | (at >= start + length), tf.float32)
            kept *= tf.reshape(outside, (shape[0], size, 1, 1) if axis == 0 else (shape[0], 1, size, 1))
        return spectra * kept

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}
