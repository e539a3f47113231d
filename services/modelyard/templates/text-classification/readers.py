"""What reads the words. Each takes int [n, words], 0 for padding, and answers probabilities [n, classes]."""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers, ops


def build(
    network: str, *, words: int, vocabulary: int, embedding: int, units: int, dropout: float, classes: int
) -> keras.Model:
    """The network called `network`."""
    given = keras.Input((words,), dtype="int32", name="words")
    present = ops.cast(ops.not_equal(given, 0), "float32")
    vectors = layers.Embedding(vocabulary, embedding, name="embedding")(given)
    found = READERS[network](layers.Dropout(dropout)(vectors), present, units)
    answer = layers.Dense(classes, activation="softmax", name="probabilities")(layers.Dropout(dropout)(found))
    return keras.Model(given, answer, name=f"{network}-classifier")


def _recurrent(cell: Callable[..., Any]) -> Callable[[Any, Any, int], Any]:
    """In both directions; a GPU's own library refuses a text without any word."""

    def read(vectors: Any, present: Any, units: int) -> Any:
        return layers.Bidirectional(cell(units, use_cudnn=False))(vectors, mask=ops.cast(present, "bool"))

    return read


def _cnn(vectors: Any, present: Any, units: int) -> Any:
    """Patterns of five words, wherever they are. Source: Kim 2014, arXiv:1408.5882, with one width."""
    found = layers.Conv1D(2 * units, 5, padding="same", activation="relu")(vectors)
    return ops.max(found * ops.expand_dims(present, -1), axis=1)


def _transformer(vectors: Any, present: Any, units: int) -> Any:
    """One encoder block, normalised first. Source: Vaswani 2017, arXiv:1706.03762; Xiong 2020, arXiv:2002.04745."""
    words, width = vectors.shape[1:]
    # Counted in the input: of a constant Keras would take what the layer answers now, and never learn it.
    places = ops.cumsum(ops.ones_like(present, "int32"), axis=1) - 1
    state = vectors + layers.Embedding(words, width, name="places")(places)
    heads = max(1, width // 32)
    mask = ops.cast(ops.expand_dims(present, 1), "bool")
    normal = layers.LayerNormalization()(state)
    state = state + layers.MultiHeadAttention(heads, width // heads)(normal, normal, attention_mask=mask)
    inner = layers.Dense(units, activation="gelu")(layers.LayerNormalization()(state))
    state = state + layers.Dense(width)(inner)
    return _mean(layers.LayerNormalization()(state), present, units)


def _mean(vectors: Any, present: Any, units: int) -> Any:
    weights = ops.expand_dims(present, -1)
    return ops.sum(vectors * weights, axis=1) / ops.maximum(ops.sum(weights, axis=1), 1.0)


READERS = {
    "cnn": _cnn,
    "gru": _recurrent(layers.GRU),
    "lstm": _recurrent(layers.LSTM),
    "transformer": _transformer,
    "mean": _mean,
}
