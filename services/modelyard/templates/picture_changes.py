"""How pictures change while a network learns from them, and what that does to places on them."""

from typing import Any

import keras
import tensorflow as tf

MOVED, GROWN, LIT, TINTED = 0.15, 0.2, 0.25, 0.25
"""At most: of a side, of the size, of the brightness, of a colour."""


class Changes(keras.layers.Layer):
    """Each picture of a batch in a way of its own: moved, grown or shrunk, lit, tinted; mirrored if asked."""

    def __init__(self, seed: int, *, mirror: bool, tinted: float = TINTED) -> None:
        super().__init__(name="changes")
        self._chance = keras.random.SeedGenerator(seed)
        self._mirror = mirror
        self._tinted = tinted
        self.built = True

    def call(self, image: Any) -> tuple[Any, Any, Any]:
        """uint8 [n, h, w, c] -> the same, and float32 [n, 2] each, x first: what was at `place` is at factor * place +
        shift."""
        count = tf.shape(image)[0]
        height, width, channels = image.shape[1:]
        grown = tf.exp(self._between((count, 1), GROWN))
        moved = self._between((count, 2), MOVED) * tf.constant([width, height], tf.float32)
        mirrored = tf.cast(self._between((count, 1), 1.0) > 0, tf.float32) if self._mirror else tf.zeros((count, 1))
        factor = tf.concat([grown * (1 - 2 * mirrored), grown], 1)
        middle = tf.constant([[width / 2, height / 2]], tf.float32)
        shift = middle + moved - factor * middle
        # Pixels are counted by their middles, places by pixels' edges.
        taken = tf.ensure_shape(_taken(image, factor, shift + (factor - 1) / 2), image.shape)
        return self._coloured(taken, channels), factor, shift

    def _between(self, shape: Any, most: float) -> Any:
        return keras.random.uniform(shape, -most, most, seed=self._chance)

    def _coloured(self, pixels: Any, channels: int) -> Any:
        count = tf.shape(pixels)[0]
        light = 1 + self._between((count, 1, 1, 1), LIT)
        tint = 1 + self._between((count, 1, 1, channels), self._tinted if channels == 3 else 0.0)
        level = self._between((count, 1, 1, 1), LIT * 128)
        return tf.cast(tf.clip_by_value(tf.round(pixels * light * tint + level), 0.0, 255.0), tf.uint8)


def _taken(image: Any, factor: Any, shift: Any) -> Any:
    """float32, each pixel from where it was; what was not there is the nearest edge."""
    count = tf.shape(image)[0]
    (a, b), (c, d) = ((1 / factor[:, axis], -shift[:, axis] / factor[:, axis]) for axis in (0, 1))
    none = tf.zeros((count,))
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(image, tf.float32),
        transforms=tf.stack([a, none, b, none, c, d, none, none], 1),
        output_shape=tf.shape(image)[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )
