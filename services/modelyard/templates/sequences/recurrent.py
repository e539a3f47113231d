"""A GRU that reads in both directions, and one that writes, looking at what was read. Source: Bahdanau, Cho and Bengio
2015, arXiv:1409.0473; attention behind the recurrence and by products, as in Luong et al. 2015, arXiv:1508.04025."""

import math
from typing import Any

import tensorflow as tf
from keras import layers

from modelyard.templates.sequences.attention import dense, masked, normal

State = dict[str, Any]


class Gru(layers.Layer):
    """Gates of Cho et al. 2014, arXiv:1406.1078, the reset behind the product; all inputs are multiplied at once."""

    def __init__(self, inner: int, units: int, name: str) -> None:
        super().__init__(name=name)
        self.units = units
        self.given = dense(inner, 3 * units, "given")
        self.kept = self.add_weight(name="kept", shape=(units, 3 * units), initializer="orthogonal")
        self.bias = self.add_weight(name="bias", shape=(3 * units,), initializer="zeros")
        self.built = True

    def step(self, given: Any, state: Any) -> Any:
        """What `given` makes of an input [n, 3 * units], and a state [n, units] -> the next state."""
        kept = tf.matmul(state, self.kept) + self.bias
        update, reset, new = tf.split(given, 3, axis=-1)
        update_, reset_, new_ = tf.split(kept, 3, axis=-1)
        update = tf.sigmoid(update + update_)
        new = tf.tanh(new + tf.sigmoid(reset + reset_) * new_)
        return update * state + (1.0 - update) * new

    def call(self, vectors: Any, there: Any, first: Any, backwards: bool = False) -> Any:
        """[n, t, inner], where they count [n, t], [n, units] -> states [n, t, units]; elsewhere a state stays."""
        given = tf.transpose(self.given(vectors), (1, 0, 2))
        counts = tf.transpose(tf.cast(there, tf.float32))[:, :, tf.newaxis]

        def step(state: Any, parts: Any) -> Any:
            given, counts = parts
            return counts * self.step(given, state) + (1.0 - counts) * state

        return tf.transpose(tf.scan(step, (given, counts), first, reverse=backwards), (1, 0, 2))


class RecurrentReader(layers.Layer):
    """Both directions."""

    def __init__(self, units: int) -> None:
        super().__init__(name="reader")
        self.there, self.back = Gru(units, units, "there"), Gru(units, units, "back")
        self.both = dense(2 * units, units, "both")
        self.units = units
        self.built = True

    def call(self, vectors: Any, mask: Any) -> Any:
        """[n, places, units] -> the same."""
        first = tf.zeros((tf.shape(vectors)[0], self.units))
        states = [self.there(vectors, mask, first), self.back(vectors, mask, first, backwards=True)]
        return self.both(tf.concat(states, axis=-1))


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
        there = tf.ones(tf.shape(vectors)[:2], tf.bool)
        return self._look(self.gru(vectors, there, state["state"]), fixed)

    def step(self, vectors: Any, place: Any, fixed: State, state: State) -> tuple[Any, State]:
        """The next token: [n, units] -> [n, units]."""
        after = self.gru.step(self.gru.given(vectors), state["state"])
        return self._look(after[:, tf.newaxis], fixed)[:, 0], {"state": after}

    def _look(self, states: Any, fixed: State) -> Any:
        scores = tf.matmul(self.query(states), fixed["memory"], transpose_b=True) / math.sqrt(self.units)
        seen = tf.matmul(tf.nn.softmax(scores + fixed["bias"][:, tf.newaxis]), fixed["memory"])
        return self.normal(self.found(tf.concat([states, seen], axis=-1)))
