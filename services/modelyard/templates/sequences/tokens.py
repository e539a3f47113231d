"""Texts as tokens and back, in the graph: words and single marks, in any script.

A mark that touches its neighbour says so: "(data files)" is "(◂ data files ▸)", so that a text that is put together
again has its spaces where they were. Nothing is made lower case: names have their capitals in every language.
"""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

TO_LEFT, TO_RIGHT = "▸", "◂"
"""Before a mark that touches what stands before it; behind one that touches what follows."""
AT_ONCE = 4096
_SPACE = "\x01"
"""While marks are looked for; neither a mark nor, once controls are gone, in any text."""
_STEPS = (
    # The signs that are used below mean themselves nowhere.
    (rf"[{TO_LEFT}{TO_RIGHT}\pC\pZ\s]+", " "),
    (r"^ | $", ""),
    (r" ", _SPACE),
    (r"([\pP\pS])", rf" {TO_LEFT}\1{TO_RIGHT} "),
    # What touches a space, an end or another mark's sign needs none itself.
    (rf"{TO_RIGHT} {_SPACE} {TO_LEFT}", " "),
    (rf"{_SPACE} {TO_LEFT}", " "),
    (rf"{TO_RIGHT} {_SPACE}", " "),
    (rf"^ {TO_LEFT}", ""),
    (rf"{TO_RIGHT} $", ""),
    (rf"{TO_RIGHT}  {TO_LEFT}", f" {TO_LEFT}"),
    (_SPACE, " "),
)


def cut(texts: Any) -> Any:
    """string [n] -> ragged string [n, tokens]; bytes that are no UTF-8 part words."""
    texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace", replacement_char=0x20)
    for pattern, put in _STEPS:
        texts = tf.strings.regex_replace(texts, pattern, put)
    return tf.strings.split(texts)


def join(tokens: Any) -> Any:
    """string [n, tokens], "" behind the end -> string [n]."""
    texts = tf.strings.reduce_join(tokens, axis=-1, separator=" ")
    for pattern in (rf" {TO_LEFT}", rf"{TO_RIGHT} ", rf"^{TO_LEFT}|{TO_RIGHT}$", r"^ +| +$"):
        texts = tf.strings.regex_replace(texts, pattern, "")
    return texts


def cut_all(texts: NDArray[np.object_]) -> list[list[bytes]]:
    """All texts, outside of the graph."""
    found: list[list[bytes]] = []
    for start in range(0, len(texts), AT_ONCE):
        found += cut(tf.constant(texts[start : start + AT_ONCE])).to_list()
    return found
