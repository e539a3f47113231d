"""What writes a text without having learnt to: the least that a model has to beat."""

import re
from collections import Counter
from collections.abc import Callable, Sequence

from modelyard.templates.evaluate.wording import SUMMARISATION, compared, metrics
from modelyard.templates.text_scores import bleu

MOST_PAIRS = 50_000
"""Of training that a dictionary is made of."""
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
    sources: Counter[str] = Counter()
    targets: Counter[str] = Counter()
    both: Counter[tuple[str, str]] = Counter()
    for source, target in train[:MOST_PAIRS]:
        mine, theirs = set(bleu.words(source)), set(bleu.words(target))
        sources.update(mine)
        targets.update(theirs)
        both.update((one, other) for one in mine for other in theirs)
    best: dict[str, tuple[float, str]] = {}
    for (one, other), count in both.items():
        if count >= FEWEST:
            best[one] = max(best.get(one, (0.0, one)), (2 * count / (sources[one] + targets[other]), other))
    return lambda text: " ".join(best[word][1] if word in best else word for word in bleu.words(text))
