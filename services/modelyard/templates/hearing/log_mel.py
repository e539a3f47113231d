"""Which pitch is how loud when, in the graph: what trains and what is served hear the same."""

from typing import Any

import keras
import tensorflow as tf

WINDOW_S, HOP_S = 0.025, 0.01
LOWEST_HZ = 60.0
FLOOR = 1e-6
"""Of power: what is quieter is silence."""
SPREAD = 3.0
"""About the standard deviation of the logarithms of speech."""


def window_of(rate: int) -> int:
    """Samples that a frame is made of: a sound must not be shorter."""
    return max(2, round(rate * WINDOW_S))


@keras.saving.register_keras_serializable("modelyard")
class LogMel(keras.layers.Layer):
    """float32 [n, samples] in -1 … 1 -> [n, frames, bands]: logarithms of the power in bands of the mel scale.

    Of each sound the mean of every band is taken away, so that loudness and the colour of a microphone do not count;
    frames without any sound are 0.
    """

    def __init__(self, rate: int, bands: int, **about: Any) -> None:
        super().__init__(**about)
        self.rate, self.bands = rate, bands
        self._window, self._hop = window_of(rate), max(1, round(rate * HOP_S))
        self._points = 1 << (self._window - 1).bit_length()
        self._weights = tf.signal.linear_to_mel_weight_matrix(
            bands, self._points // 2 + 1, rate, LOWEST_HZ, rate / 2
        ).numpy()

    def call(self, sounds: Any) -> Any:
        waves = tf.signal.stft(sounds, self._window, self._hop, self._points)
        power = tf.square(tf.abs(waves)) / self._window @ self._weights
        heard = tf.cast(tf.reduce_max(power, -1, keepdims=True) > FLOOR, tf.float32)
        level = tf.math.log(power + FLOOR)
        frames = tf.maximum(tf.reduce_sum(heard, 1, keepdims=True), 1.0)
        mean = tf.reduce_sum(level * heard, 1, keepdims=True) / frames
        return (level - mean) * heard / SPREAD

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        samples = shape[1]
        frames = None if samples is None else max(0, 1 + (samples - self._window) // self._hop)
        return shape[0], frames, self.bands

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "bands": self.bands}
