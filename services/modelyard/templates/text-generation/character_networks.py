"""What reads text symbol by symbol and says what comes next.

Each answers three questions, for numbers of symbols: what comes next everywhere in texts, from their beginning on
(`call`, `read`), what state a text leaves (`remember`), and what comes next after one more symbol (`step`). The numbers
of the second question are what the third goes on with, so that a text is written in time that grows with its length.
"""

import math
from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

NOTHING = -1e9


class Recurrent(keras.Model):
    """GRU or LSTM layers, one over the other."""

    def __init__(self, cell: str, *, symbols: int, units: int, depth: int, dropout: float) -> None:
        super().__init__(name=cell)
        make = {"gru": layers.GRU, "lstm": layers.LSTM}[cell]
        self._states = 2 if cell == "lstm" else 1
        self.embedding = layers.Embedding(symbols, min(units, 64), name="embedding")
        self.readers = [
            make(units, return_sequences=True, return_state=True, name=f"{cell}{level}") for level in range(depth)
        ]
        self.drops = [layers.Dropout(dropout) for _ in range(depth)]
        self.answer = layers.Dense(symbols, name="logits")

    def build(self, shape: Any) -> None:
        """Of int [n, length]."""
        self.embedding.build(shape)
        width = self.embedding.output_dim
        for reader in self.readers:
            reader.build((None, None, width))
            width = reader.units
        self.answer.build((None, None, width))
        self.built = True

    def call(self, symbols: Any, training: bool = False) -> Any:
        """int [n, length] -> logits [n, length, symbols]."""
        state = self.embedding(symbols)
        for reader, drop in zip(self.readers, self.drops, strict=True):
            state = drop(reader(state)[0], training=training)
        return self.answer(state)

    read = call

    def remember(self, symbols: Any, lengths: Any) -> tuple[Any, Any]:
        """int [n, longest] of these lengths -> logits [n, symbols] behind each one's end, and the state there."""
        mask = tf.sequence_mask(lengths, tf.shape(symbols)[1])
        state, kept = self.embedding(symbols), []
        for reader in self.readers:
            state, *left = reader(state, mask=mask)
            kept += left
        last = tf.gather(state, lengths - 1, axis=1, batch_dims=1)
        return self.answer(last), tuple(kept)

    def step(self, symbols: Any, state: Any) -> tuple[Any, Any]:
        """int [n] -> logits [n, symbols], and the state behind it."""
        given, kept = self.embedding(symbols), []
        for level, reader in enumerate(self.readers):
            before = list(state[level * self._states : (level + 1) * self._states])
            given, left = reader.cell(given, before)
            kept += left
        return self.answer(given), tuple(kept)


class Attention(layers.Layer):
    """Looks back only, at what is near more than at what is far: each head at another rate, and no place has a number.

    Source: Press 2021, "Train Short, Test Long" (ALiBi), arXiv:2108.12409.
    """

    def __init__(self, width: int, heads: int, name: str) -> None:
        super().__init__(name=name)
        self._heads, self._size = heads, width // heads
        self._all = layers.Dense(3 * width, use_bias=False, name="qkv")
        self._out = layers.Dense(width, name="out")

    def build(self, shape: Any) -> None:
        """Of float [n, length, width]."""
        self._all.build(shape)
        self._out.build(shape)
        self.built = True

    def call(self, given: Any, there: Any) -> Any:
        """[n, length, width] of which `there` [n, length] says what is no filling."""
        length = tf.shape(given)[1]
        parts = tf.reshape(self._all(given), (-1, length, 3, self._heads, self._size))
        query, key, value = tf.unstack(parts, axis=2)
        back = tf.range(length)[:, tf.newaxis] - tf.range(length)
        rates = tf.constant([2.0 ** (-8.0 * (head + 1) / self._heads) for head in range(self._heads)])
        bias = -rates[:, tf.newaxis, tf.newaxis] * tf.cast(back, tf.float32)
        seen = tf.logical_and(back >= 0, there[:, tf.newaxis, tf.newaxis, :])
        scores = tf.einsum("nqhs,nkhs->nhqk", query, key) / math.sqrt(self._size) + bias
        weights = tf.nn.softmax(tf.where(seen, scores, NOTHING))
        found = tf.einsum("nhqk,nkhs->nqhs", weights, value)
        return self._out(tf.reshape(found, (-1, length, self._heads * self._size)))


class Transformer(keras.Model):
    """Blocks of attention that looks back, normalised first; it sees the last `window` symbols."""

    def __init__(self, *, symbols: int, width: int, depth: int, dropout: float, window: int) -> None:
        super().__init__(name="transformer")
        self._window = window
        self._width = width
        self.embedding = layers.Embedding(symbols, width, name="embedding")
        self.normals = [layers.LayerNormalization(name=f"normal{at}") for at in range(2 * depth + 1)]
        self.attentions = [Attention(width, max(1, width // 32), f"attention{level}") for level in range(depth)]
        self.inner = [layers.Dense(4 * width, activation="gelu", name=f"inner{level}") for level in range(depth)]
        self.outer = [layers.Dense(width, name=f"outer{level}") for level in range(depth)]
        self.drop = layers.Dropout(dropout)
        self.answer = layers.Dense(symbols, name="logits")

    def build(self, shape: Any) -> None:
        """Of int [n, length]."""
        self.embedding.build(shape)
        wide = (None, None, self._width)
        for layer in (*self.normals, *self.attentions, *self.inner, self.answer):
            layer.build(wide)
        for layer in self.outer:
            layer.build((None, None, 4 * self._width))
        self.built = True

    def call(self, symbols: Any, training: bool = False) -> Any:
        """int [n, length] -> logits [n, length, symbols]."""
        return self._read(symbols, tf.ones_like(symbols, tf.bool), training)

    def _read(self, symbols: Any, there: Any, training: bool = False) -> Any:
        state = self.embedding(symbols)
        for level, attention in enumerate(self.attentions):
            state = state + self.drop(attention(self.normals[2 * level](state), there), training=training)
            inner = self.inner[level](self.normals[2 * level + 1](state))
            state = state + self.drop(self.outer[level](inner), training=training)
        return self.answer(self.normals[-1](state))

    def read(self, symbols: Any) -> Any:
        """As `call`, of texts longer than a window: each half of one is read behind the half before it."""
        half = self._window // 2
        length = tf.shape(symbols)[1]
        blocks = -(-length // half)
        padded = tf.pad(symbols, [[0, 0], [half, blocks * half - length]])
        there = tf.pad(tf.ones_like(symbols, tf.bool), [[0, 0], [half, blocks * half - length]])
        places = tf.range(blocks)[:, tf.newaxis] * half + tf.range(2 * half)
        pieces = tf.reshape(tf.gather(padded, places, axis=1), (-1, 2 * half))
        seen = tf.reshape(tf.gather(there, places, axis=1), (-1, 2 * half))
        found = self._read(pieces, seen)[:, half:]
        return tf.reshape(found, (tf.shape(symbols)[0], blocks * half, found.shape[-1]))[:, :length]

    def remember(self, symbols: Any, lengths: Any) -> tuple[Any, Any]:
        """int [n, longest] of these lengths -> logits [n, symbols] behind each one's end; the state is the window."""
        places = lengths[:, tf.newaxis] + tf.range(-self._window, 0)
        there = places >= 0
        window = tf.gather(symbols, tf.maximum(places, 0), axis=1, batch_dims=1)
        return self._read(window, there)[:, -1], (window, there)

    def step(self, symbols: Any, state: Any) -> tuple[Any, Any]:
        """int [n] -> logits [n, symbols], and the state behind it."""
        window, there = state
        window = tf.concat([window[:, 1:], symbols[:, tf.newaxis]], axis=1)
        there = tf.concat([there[:, 1:], tf.ones_like(symbols[:, tf.newaxis], tf.bool)], axis=1)
        return self._read(window, there)[:, -1], (window, there)


def build(network: str, *, symbols: int, units: int, depth: int, dropout: float, window: int) -> keras.Model:
    """The network called `network`, with its variables."""
    if network == "transformer":
        width = max(32, units // 32 * 32)
        made = Transformer(symbols=symbols, width=width, depth=depth, dropout=dropout, window=window)
    else:
        made = Recurrent(network, symbols=symbols, units=units, depth=depth, dropout=dropout)
    made.build((None, window))
    return made


def bits(truth: Any, logits: Any) -> Any:
    """Bits that each symbol costs: [n, length]."""
    return keras.losses.sparse_categorical_crossentropy(truth, logits, from_logits=True) / ops.log(2.0)
