"""A small Transformer, normalised first. Source: Vaswani et al. 2017, arXiv:1706.03762; Xiong et al. 2020,
arXiv:2002.04745."""

from typing import Any

import tensorflow as tf
from keras import layers

from modelyard.templates.sequences.attention import NEVER, Attention, dense, masked, normal

State = dict[str, Any]


class Block(layers.Layer):
    """Attention to itself, in a writer's to what was read, and a dense layer."""

    def __init__(self, units: int, heads: int, dropout: float, name: str, looks: bool) -> None:
        super().__init__(name=name)
        self.own = Attention(units, heads)
        self.own_normal = normal(units, "own_normal")
        self.looks = looks
        if looks:
            self.other = Attention(units, heads)
            self.other_normal = normal(units, "other_normal")
        self.wide, self.narrow = dense(units, 4 * units, "wide", "gelu"), dense(4 * units, units, "narrow")
        self.dense_normal = normal(units, "dense_normal")
        self.drop = layers.Dropout(dropout)
        self.built = True

    def call(self, states: Any, own: tuple[Any, Any], bias: Any, other: Any = None, training: bool = False) -> Any:
        """`own` are the keys and values that it may look at, by `bias`; `other` keys, values and bias of the memory."""
        looked = self.own(self.own_normal(states), *own, bias)
        states = states + self.drop(looked, training=training)
        if self.looks:
            states = states + self.drop(self.other(self.other_normal(states), *other), training=training)
        inner = self.narrow(self.wide(self.dense_normal(states)))
        return states + self.drop(inner, training=training)

    def held(self, states: Any) -> tuple[Any, Any]:
        """Keys and values of its own text."""
        return self.own.held(self.own_normal(states))


class _Stack(layers.Layer):
    def __init__(self, name: str, units: int, depth: int, most: int, dropout: float, looks: bool) -> None:
        super().__init__(name=name)
        heads = next(count for count in range(max(1, units // 32), 0, -1) if units % count == 0)
        self.blocks = [Block(units, heads, dropout, f"block_{number}", looks) for number in range(depth)]
        self.places = self.add_weight(name="places", shape=(most, units), initializer="uniform")
        self.last = normal(units, "last")
        self.built = True


class AttentiveReader(_Stack):
    """Looks everywhere."""

    def __init__(self, units: int, depth: int, most: int, dropout: float) -> None:
        super().__init__("reader", units, depth, most, dropout, looks=False)

    def call(self, vectors: Any, mask: Any, training: bool = False) -> Any:
        """[n, places, units] -> the same."""
        states, bias = vectors + self.places[: tf.shape(vectors)[1]], masked(mask)[:, tf.newaxis]
        for block in self.blocks:
            states = block(states, block.held(states), bias, training=training)
        return self.last(states)


class AttentiveWriter(_Stack):
    """Looks at what it has written so far, and at what was read."""

    def __init__(self, units: int, depth: int, most: int, dropout: float) -> None:
        super().__init__("writer", units, depth, most, dropout, looks=True)
        self.units, self.most = units, most

    def begin(self, memory: Any, mask: Any, most: int) -> tuple[State, State]:
        """What stays the same while a text is written, and what changes: both by row."""
        fixed: State = {"bias": masked(mask)}
        state: State = {}
        for number, block in enumerate(self.blocks):
            fixed[f"keys_{number}"], fixed[f"values_{number}"] = block.other.held(memory)
            nothing = tf.zeros((tf.shape(memory)[0], most, self.units))
            state[f"keys_{number}"] = state[f"values_{number}"] = nothing
        return fixed, state

    def write(self, vectors: Any, fixed: State, state: State, training: bool = False) -> Any:
        """All of a text that is known: [n, t, units] -> [n, t, units]."""
        length = tf.shape(vectors)[1]
        past = tf.linalg.band_part(tf.ones((length, length)), -1, 0)
        states, bias = vectors + self.places[:length], (1.0 - past)[tf.newaxis] * NEVER
        for number, block in enumerate(self.blocks):
            other = self._other(fixed, number)
            states = block(states, block.held(states), bias, other, training=training)
        return self.last(states)

    def step(self, vectors: Any, place: Any, fixed: State, state: State) -> tuple[Any, State]:
        """The next token: [n, units] -> [n, units]."""
        most = tf.shape(state["keys_0"])[1]
        here = tf.one_hot(place, most)[tf.newaxis, :, tf.newaxis]
        bias = tf.where(tf.range(most) <= place, 0.0, NEVER)[tf.newaxis, tf.newaxis]
        states, after = (vectors + self.places[place])[:, tf.newaxis], {}
        for number, block in enumerate(self.blocks):
            keys, values = block.held(states)
            after[f"keys_{number}"] = state[f"keys_{number}"] + keys * here
            after[f"values_{number}"] = state[f"values_{number}"] + values * here
            own = (after[f"keys_{number}"], after[f"values_{number}"])
            states = block(states, own, bias, self._other(fixed, number))
        return self.last(states)[:, 0], after

    @staticmethod
    def _other(fixed: State, number: int) -> tuple[Any, Any, Any]:
        return fixed[f"keys_{number}"], fixed[f"values_{number}"], fixed["bias"][:, tf.newaxis]
