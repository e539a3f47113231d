"""ROUGE-L and ROUGE-1: the longest sequence of words, gaps allowed, that an answer shares with its reference, and the
words that it shares, each as F1.

Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries". Words are runs of letters and digits in lower case,
without stemming: of ASCII the same as in rouge-score; letters of other scripts count too, which it drops.
"""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

_WORD = re.compile(r"[^\W_]+")


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
    """Length of the longest common subsequence."""
    row = [0] * (len(other) + 1)
    for word in one:
        before = 0
        for place, against in enumerate(other, 1):
            before, row[place] = row[place], before + 1 if word == against else max(row[place], row[place - 1])
    return row[-1]
