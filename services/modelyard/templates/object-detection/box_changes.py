"""What happens to boxes while a network learns from them."""

from typing import Any

import keras
import tensorflow as tf

_LEFT = 0.3
"""Of an object that is moved out of the picture so much must stay, or it is not looked for."""


def moved(boxes: Any, labels: Any, factor: Any, shift: Any, height: int, width: int) -> tuple[Any, Any]:
    """[n, m, 4] and [n, m] where their pictures were changed, as `Changes` says it: cut to the picture."""
    corners = tf.tile(factor, (1, 2))[:, tf.newaxis] * boxes + tf.tile(shift, (1, 2))[:, tf.newaxis]
    low, high = tf.minimum(corners[..., :2], corners[..., 2:]), tf.maximum(corners[..., :2], corners[..., 2:])
    limit = tf.constant([width, height], tf.float32)
    inside = tf.concat([tf.clip_by_value(low, 0.0, limit), tf.clip_by_value(high, 0.0, limit)], -1)
    left = tf.reduce_prod(inside[..., 2:] - inside[..., :2], -1) / tf.maximum(tf.reduce_prod(high - low, -1), 1e-6)
    return inside, tf.where((labels >= 0) & (left >= _LEFT), labels, -1)


class ShuffledClasses(keras.layers.Layer):
    """A control: a batch's boxes swap their classes."""

    def __init__(self, seed: int) -> None:
        super().__init__(name="shuffled_classes")
        self._chance = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, labels: Any) -> Any:
        """int32 [n, m] -> the same; -1 stays."""
        there = tf.where(labels >= 0)
        order = tf.argsort(keras.random.uniform((tf.shape(there)[0],), seed=self._chance))
        swapped = tf.gather(tf.gather_nd(labels, there), order)
        return tf.tensor_scatter_nd_update(labels, there, swapped)
