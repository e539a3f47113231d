"""Attention: what a state looks at among the places of another text, or of its own."""

import math
from typing import Any

import keras
import tensorflow as tf
from keras import layers

NEVER = -1e9


def masked(mask: Any) -> Any:
    """True where something is -> what is added to scores."""
    return (1.0 - tf.cast(mask, tf.float32)) * NEVER


class Attention(layers.Layer):
    """Of several heads, with keys and values that are made once. Source: Vaswani et al. 2017, arXiv:1706.03762."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.width = heads, width
        names = ("query", "key", "value", "last")
        self.query, self.key, self.value, self.last = (layers.Dense(width, name=name) for name in names)
        for part in (self.query, self.key, self.value, self.last):
            part.build((None, width))
        self.built = True

    def held(self, states: Any) -> tuple[Any, Any]:
        """Keys and values of [n, places, width]."""
        return self.key(states), self.value(states)

    def call(self, states: Any, keys: Any, values: Any, bias: Any) -> Any:
        """[n, t, width] over [n, places, width]; `bias` is added to the scores [n, t, places]."""
        query, keys, values = (self._parted(each) for each in (self.query(states), keys, values))
        scores = tf.matmul(query, keys, transpose_b=True) / math.sqrt(self.width / self.heads)
        found = tf.matmul(tf.nn.softmax(scores + bias[:, tf.newaxis]), values)
        return self.last(tf.reshape(tf.transpose(found, (0, 2, 1, 3)), tf.shape(states)))

    def _parted(self, states: Any) -> Any:
        shape = tf.shape(states)
        parts = tf.reshape(states, (shape[0], shape[1], self.heads, self.width // self.heads))
        return tf.transpose(parts, (0, 2, 1, 3))


def dense(inner: int, width: int, name: str, activation: str | None = None) -> keras.layers.Dense:
    """A layer of `width` that knows what it takes, so that it has its weights at once."""
    layer = layers.Dense(width, activation, name=name)
    layer.build((None, inner))
    return layer


def normal(width: int, name: str) -> keras.layers.LayerNormalization:
    """The same of a normalisation."""
    layer = layers.LayerNormalization(name=name)
    layer.build((None, width))
    return layer
