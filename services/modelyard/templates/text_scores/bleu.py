"""BLEU of a corpus: how many of its sequences of one to four words the references have too, and whether it is as long.

Papineni et al. 2002, "BLEU: a Method for Automatic Evaluation of Machine Translation"; words are cut as mteval-v13a of
NIST does it, and an order without a match is smoothed exponentially, as sacrebleu has both by default (Post 2018, "A
Call for Clarity in Reporting BLEU Scores"; signature nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp).
"""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

ORDER = 4
Counts = NDArray[np.int64]
"""Of one example or many, [..., 2 + 2 * ORDER]: words of the answer and of the reference, then by order the sequences
that both have, then by order those of the answer."""
_ENTITIES = (("<skipped>", ""), ("-\n", ""), ("\n", " "), ("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))
_CUTS = (
    (re.compile(r"([\{-\~\[-\` -\&\(-\+\:-\@\/])"), r" \1 "),
    (re.compile(r"([^0-9])([\.,])"), r"\1 \2 "),
    (re.compile(r"([\.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
)


def words(text: str) -> list[str]:
    """As mteval-v13a cuts a line."""
    for entity, character in _ENTITIES:
        text = text.replace(entity, character)
    text = f" {text} "
    for pattern, spaced in _CUTS:
        text = pattern.sub(spaced, text)
    return text.split()


def counts(answer: str, reference: str) -> Counts:
    """Of one example."""
    said, wanted = words(answer), words(reference)
    matched, all_ = [], []
    for order in range(1, ORDER + 1):
        mine, theirs = (_sequences(each, order) for each in (said, wanted))
        matched.append(sum((mine & theirs).values()))
        all_.append(max(0, len(said) - order + 1))
    return np.array([len(said), len(wanted), *matched, *all_], np.int64)


def of_counts(summed: Counts) -> NDArray[np.float64]:
    """BLEU, 0 to 100, of counts that are summed over a corpus: [..., 2 + 2 * ORDER] -> [...]."""
    length, wanted = summed[..., 0], summed[..., 1]
    matched, all_ = summed[..., 2 : 2 + ORDER], summed[..., 2 + ORDER :]
    # The n-th order without a match counts as half, a quarter, … of one.
    halves = 2.0 ** np.cumsum((matched == 0) & (all_ > 0), axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(matched > 0, matched, 1 / halves) / all_
        brevity = np.where(length < wanted, np.exp(1 - wanted / length), 1.0)
        found = 100 * brevity * np.exp(np.log(precision).mean(axis=-1))
    whole = (matched.any(axis=-1)) & (all_ > 0).all(axis=-1)
    return np.asarray(np.where(whole, found, 0.0))


def bleu(answers: Sequence[str], references: Sequence[str]) -> float:
    """Of a corpus, 0 to 100."""
    return float(of_counts(np.sum([counts(*pair) for pair in zip(answers, references, strict=True)], axis=0)))


def _sequences(words: Sequence[str], order: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[at : at + order]) for at in range(len(words) - order + 1))
