"""What writes a text without having learnt to: the least that a model has to beat."""

import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from modelyard.templates.evaluate.wording import SUMMARISATION, compared, metrics
from modelyard.templates.text_scores import bleu

MOST_PAIRS = 50_000
"""Of training that a dictionary is made of."""
MOST_COMBINATIONS = 10_000_000
"""Of a word of the source with one of its target: where texts are long, fewer pairs are taken. Each takes 8 bytes, and
a few times as much while they are counted."""
FEWEST = 2
"""How often words stand in the same pair, until one counts as the other's translation."""
_WORDS = 10
_SENTENCE = re.compile(r"(?<=[.!?])\s")
_IS = re.compile(r"\b(?:is|are) (?:an?|the)\s+", re.IGNORECASE)
FLOORED = ("bleu", "chrf", "rouge_l", "rouge_1", "exact")


def floors(
    task: str, sources: Sequence[str], references: Sequence[str], train: Sequence[tuple[str, str]]
) -> dict[str, dict[str, object]]:
    """Metric -> the best that one of them reaches, and which; `train` are pairs of source and target."""
    ways: dict[str, Callable[[str], str]] = {"the source as it is": str}
    if task == SUMMARISATION:
        ways |= {
            "the first sentence": first_sentence,
            f"the first {_WORDS} words": lambda text: " ".join(text.split()[:_WORDS]),
            "what follows “is a” in the first sentence": what_it_is,
        }
    elif train:
        ways["word by word with a dictionary of train"] = dictionary(train)
    found: dict[str, dict[str, object]] = {}
    best: dict[str, float] = {}
    for by, way in ways.items():
        reached = metrics(compared([way(source) for source in sources], references), task)
        for name in FLOORED:
            if name not in best or reached[name] > best[name]:
                best[name], found[name] = reached[name], {"value": reached[name], "by": by}
    return found


def first_sentence(text: str) -> str:
    """Up to the first point that a space follows."""
    return _SENTENCE.split(text.strip(), 1)[0]


def what_it_is(text: str) -> str:
    """ "X is a tool for Y." -> "tool for Y"; the first sentence where it says no such thing."""
    sentence = first_sentence(text)
    found = _IS.search(sentence)
    return sentence[found.end() :].rstrip(".") if found else sentence


def dictionary(train: Sequence[tuple[str, str]]) -> Callable[[str], str]:
    """Each word becomes the one that it shares most pairs with, by Dice's coefficient (Dice 1945); one that stands with
    no other twice stays."""
    mine: dict[str, int] = {}
    theirs: dict[str, int] = {}
    pairs: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    left = MOST_COMBINATIONS
    for source, target in train[:MOST_PAIRS]:
        pair = _numbered(source, mine), _numbered(target, theirs)
        left -= len(pair[0]) * len(pair[1])
        if left < 0:
            break
        pairs.append(pair)
    best: dict[str, tuple[float, str]] = {}
    sources, targets = list(mine), list(theirs)
    for one, other, alike in _alike(pairs, len(theirs)):
        best[sources[one]] = max(best.get(sources[one], (0.0, sources[one])), (alike, targets[other]))
    return lambda text: " ".join(best[word][1] if word in best else word for word in bleu.words(text))


def _numbered(text: str, known: dict[str, int]) -> NDArray[np.int64]:
    """Its different words, each as the number that it has, or gets, in `known`."""
    return np.array([known.setdefault(word, len(known)) for word in set(bleu.words(text))], np.int64)


def _alike(
    pairs: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]], words: int
) -> Iterator[tuple[int, int, float]]:
    """Dice's coefficient of each two words that stand in the same pair FEWEST times; `words`: of all targets."""
    if not pairs:
        return
    each, other = (np.bincount(np.concatenate(side)) for side in zip(*pairs, strict=True))
    both = np.concatenate([(one[:, None] * words + against).reshape(-1) for one, against in pairs])
    found, counts = np.unique(both, return_counts=True)
    for key, count in zip(found[counts >= FEWEST].tolist(), counts[counts >= FEWEST].tolist(), strict=True):
        one, against = divmod(key, words)
        yield one, against, float(2 * count / (each[one] + other[against]))
