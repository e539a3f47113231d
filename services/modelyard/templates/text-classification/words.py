"""Texts as numbers of words, in the graph: what trains and what is served cut a text into the same words."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

MOST_WORDS = 400
COVERED = 99
"""Percent of the training texts that are read to their end, where nobody says how many words to read."""
AT_ONCE = 4096
"""Texts that are cut together."""


def typical_length(texts: NDArray[np.object_]) -> int:
    """Words that all but the longest of these texts have."""
    return int(min(MOST_WORDS, max(1, np.percentile([len(text.split()) for text in texts], COVERED))))


def learn_words(texts: NDArray[np.object_], vocabulary: int, length: int) -> keras.layers.TextVectorization:
    """A layer: string [n] -> int64 [n, length], 0 after a text's end, 1 for a word that is not in the vocabulary."""
    layer = keras.layers.TextVectorization(vocabulary, standardize=plain, output_sequence_length=length)
    layer.adapt(tf.data.Dataset.from_tensor_slices(tf.constant(texts)).batch(AT_ONCE))
    return layer


def plain(texts: Any) -> Any:
    """Lower case, in any script, without punctuation; bytes that are no UTF-8 are punctuation too."""
    valid = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace", replacement_char=0x20)
    return tf.strings.regex_replace(tf.strings.lower(valid, encoding="utf-8"), r"[\pP\pS]", "")


def numbers(cut: keras.layers.TextVectorization, texts: NDArray[np.object_]) -> NDArray[np.int32]:
    """All texts as `cut` numbers their words: [n, length]."""
    parts = [np.asarray(cut(tf.constant(texts[at : at + AT_ONCE]))) for at in range(0, len(texts), AT_ONCE)]
    return np.concatenate(parts).astype(np.int32)


def shuffled(words: NDArray[np.int32], seed: int) -> NDArray[np.int32]:
    """The words of each text in another order; the end of a text stays its end."""
    keys = np.where(words > 0, np.random.default_rng(seed).random(words.shape), 2.0)
    return np.take_along_axis(words, np.argsort(keys, axis=1, kind="stable"), axis=1)
