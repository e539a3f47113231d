"""A GRU that reads in both directions, and one that writes, looking at what was read. Source: Bahdanau, Cho and Bengio
2015, arXiv:1409.0473; attention behind the recurrence and by products, as in Luong et al. 2015, arXiv:1508.04025."""

import math
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from modelyard.templates.sequences.attention import dense, masked, normal

State = dict[str, Any]


def gated(given: Any, state: Any, kept: Any, bias: Any) -> Any:
    """What an input, multiplied already [..., 3 * units], makes of a state [..., units]."""
    update, reset, new = tf.split(given, 3, axis=-1)
    update_, reset_, new_ = tf.split(tf.matmul(state, kept) + bias, 3, axis=-1)
    update = tf.sigmoid(update + update_)
    new = tf.tanh(new + tf.sigmoid(reset + reset_) * new_)
    return update * state + (1.0 - update) * new


class Gru(layers.Layer):
    """Gates of Cho et al. 2014, arXiv:1406.1078, the reset behind the product; all inputs are multiplied at once."""

    def __init__(self, inner: int, units: int, name: str) -> None:
        super().__init__(name=name)
        self.given = dense(inner, 3 * units, "given")
        self.kept = self.add_weight(name="kept", shape=(units, 3 * units), initializer="orthogonal")
        self.bias = self.add_weight(name="bias", shape=(3 * units,), initializer="zeros")
        self.built = True

    def step(self, vectors: Any, state: Any) -> Any:
        """[n, inner] and [n, units] -> the next state."""
        return gated(self.given(vectors), state, self.kept, self.bias)

    def call(self, vectors: Any, first: Any) -> Any:
        """[n, t, inner] and [n, units] -> states [n, t, units]."""
        given = tf.transpose(self.given(vectors), (1, 0, 2))
        states = tf.scan(lambda state, each: gated(each, state, self.kept, self.bias), given, first)
        return tf.transpose(states, (1, 0, 2))


class RecurrentReader(layers.Layer):
    """The same in both directions, beside each other in one loop."""

    def __init__(self, units: int) -> None:
        super().__init__(name="reader")
        self.units = units
        self.given = dense(units, 6 * units, "given")
        self.kept = self.add_weight(name="kept", shape=(2, units, 3 * units), initializer=_orthogonal)
        self.bias = self.add_weight(name="bias", shape=(2, 1, 3 * units), initializer="zeros")
        self.both = dense(2 * units, units, "both")
        self.built = True

    def call(self, vectors: Any, mask: Any) -> Any:
        """[n, places, units] -> the same."""
        shape = tf.shape(vectors)
        given = tf.reshape(self.given(vectors), (shape[0], shape[1], 2, 3 * self.units))
        counts = tf.cast(tf.transpose(mask), tf.float32)[:, tf.newaxis, :, tf.newaxis]
        first = tf.zeros((2, shape[0], self.units))

        def step(state: Any, parts: Any) -> Any:
            each, counts = parts
            return counts * gated(each, state, self.kept, self.bias) + (1.0 - counts) * state

        counts = tf.concat([counts, counts[::-1]], axis=1)
        there, back = tf.unstack(tf.transpose(given, (1, 2, 0, 3)), axis=1)
        there, back = tf.unstack(tf.scan(step, (tf.stack([there, back[::-1]], axis=1), counts), first), axis=1)
        return self.both(tf.transpose(tf.concat([there, back[::-1]], axis=-1), (1, 0, 2)))


def _orthogonal(shape: Any, dtype: Any = None) -> Any:
    """Each direction's own."""
    first = keras.initializers.Orthogonal()
    return keras.ops.stack([first(shape[1:], dtype=dtype) for _ in range(shape[0])])


class RecurrentWriter(layers.Layer):
    """A GRU and, behind it, attention."""

    def __init__(self, units: int) -> None:
        super().__init__(name="writer")
        self.first = dense(2 * units, units, "first", "tanh")
        self.gru = Gru(units, units, "gru")
        self.query = dense(units, units, "query")
        self.found = dense(2 * units, units, "found")
        self.normal = normal(units, "normal")
        self.units = units
        self.built = True

    def begin(self, memory: Any, mask: Any, most: int) -> tuple[State, State]:
        """What stays the same while a text is written, and what changes: both by row."""
        last = tf.reduce_sum(tf.cast(mask, tf.int32), axis=1) - 1
        ends = tf.concat([tf.gather(memory, last, batch_dims=1), memory[:, 0]], axis=-1)
        return {"memory": memory, "bias": masked(mask)}, {"state": self.first(ends)}

    def write(self, vectors: Any, fixed: State, state: State) -> Any:
        """All of a text that is known: [n, t, units] -> [n, t, units]."""
        return self._look(self.gru(vectors, state["state"]), fixed)

    def step(self, vectors: Any, place: Any, fixed: State, state: State) -> tuple[Any, State]:
        """The next token: [n, units] -> [n, units]."""
        after = self.gru.step(vectors, state["state"])
        return self._look(after[:, tf.newaxis], fixed)[:, 0], {"state": after}

    def _look(self, states: Any, fixed: State) -> Any:
        scores = tf.matmul(self.query(states), fixed["memory"], transpose_b=True) / math.sqrt(self.units)
        seen = tf.matmul(tf.nn.softmax(scores + fixed["bias"][:, tf.newaxis]), fixed["memory"])
        return self.normal(self.found(tf.concat([states, seen], axis=-1)))
