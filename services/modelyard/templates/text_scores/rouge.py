"""ROUGE-L and ROUGE-1: the longest sequence of words, gaps allowed, that an answer shares with its reference, and the
words that it shares, each as F1.

Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries". Words are runs of letters and digits in lower case,
without stemming: of ASCII the same as in rouge-score; letters of other scripts count too, which it drops, with their
marks. Of a script that has no spaces between words each letter counts as one.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

import numpy as np

_UNPARTED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
"""Thai, Lao, Burmese, Khmer, kana, and what Chinese and Japanese share."""
_MARKS = "\u200c\u200d" + "".join(
    mark for mark in map(chr, range(0x300, 0x1F000)) if unicodedata.category(mark) in ("Mn", "Mc")
)
"""What `\\w` does not have though it stands within words: accents, vowels of Indic scripts, joiners."""
WORD = rf"[^\W_{_UNPARTED}](?:[^\W_{_UNPARTED}]|[{_MARKS}])*|[^\W_][{_MARKS}]*"
"""Of a pattern."""
_WORD = re.compile(WORD)


def words(text: str) -> list[str]:
    """In lower case."""
    return _WORD.findall(text.lower())


def rouge_l(answer: str, reference: str) -> float:
    """Of one example, 0 to 1."""
    said, wanted = words(answer), words(reference)
    return _f1(_longest(said, wanted), len(said), len(wanted))


def rouge_1(answer: str, reference: str) -> float:
    """Of one example, 0 to 1."""
    said, wanted = words(answer), words(reference)
    return _f1(sum((Counter(said) & Counter(wanted)).values()), len(said), len(wanted))


def mean_rouge_l(answers: Sequence[str], references: Sequence[str]) -> float:
    """Over examples."""
    return float(np.mean([rouge_l(*pair) for pair in zip(answers, references, strict=True)]))


def _f1(shared: int, said: int, wanted: int) -> float:
    return 2 * shared / (said + wanted) if shared else 0.0


def _longest(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest common subsequence: a column of the usual table as the bits of one number, 0 where it grows
    (Hyyrö 2004, "Bit-Parallel LCS-length Computation Revisited"), for texts of thousands of letters."""
    places: dict[str, int] = {}
    for at, word in enumerate(other):
        places[word] = places.get(word, 0) | 1 << at
    whole = (1 << len(other)) - 1
    column = whole
    for word in one:
        matched = column & places.get(word, 0)
        column = ((column + matched) | (column - matched)) & whole
    return len(other) - column.bit_count()
