"""Tokens as numbers: those that are told apart, the most frequent first."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

NOTHING, UNKNOWN, END = 0, 1, 2
"""Behind the end of a text; a token that is not told apart; the end itself, which the writer also begins with."""
FIRST = 3
Tokens = Sequence[Sequence[bytes]]


class Vocabulary:
    """The same numbers in NumPy and in the graph."""

    def __init__(self, tokens: Iterable[bytes]) -> None:
        self.tokens = [b"", b"", b"", *tokens]
        self._places = {token: place for place, token in enumerate(self.tokens) if place >= FIRST}

    def __len__(self) -> int:
        return len(self.tokens)

    def numbers(self, texts: Tokens, most: int) -> NDArray[np.int32]:
        """[n, most], the end of each among them: what is longer is cut."""
        places, found = self._places, np.zeros((len(texts), most), np.int32)
        for row, text in enumerate(texts):
            ids = [places.get(token, UNKNOWN) for token in text[: most - 1]]
            found[row, : len(ids) + 1] = [*ids, END]
        return found

    def table(self) -> tf.lookup.StaticHashTable:
        """Token -> its number, UNKNOWN for others."""
        known = self.tokens[FIRST:]
        rows = tf.lookup.KeyValueTensorInitializer(tf.constant(known), tf.range(FIRST, FIRST + len(known)))
        return tf.lookup.StaticHashTable(rows, UNKNOWN)


def learn(texts: Tokens, most: int) -> Vocabulary:
    """Of the tokens that are there twice, the `most` frequent; of all where there are no others."""
    counts = Counter(token for text in texts for token in text)
    order = sorted(counts, key=lambda token: (-counts[token], token))
    again = [token for token in order if counts[token] > 1]
    return Vocabulary((again or order)[:most])


class Keys:
    """A number for every token there is, the same on both sides: equal tokens are equal numbers."""

    def __init__(self) -> None:
        self._keys: dict[bytes, int] = {}

    def numbers(self, texts: Tokens, most: int) -> NDArray[np.int32]:
        """[n, most], from 1 on; 0 for the end and behind it."""
        keys, found = self._keys, np.zeros((len(texts), most), np.int32)
        for row, text in enumerate(texts):
            ids = [keys.setdefault(token, len(keys) + 1) for token in text[: most - 1]]
            found[row, : len(ids)] = ids
        return found


def typical_length(texts: Tokens, most: int, covered: float = 99.0) -> int:
    """Tokens, without the end, that all but the longest of these texts have."""
    return int(min(most, max(1, np.percentile([len(text) for text in texts], covered))))
