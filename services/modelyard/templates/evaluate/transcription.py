"""How well texts are written down, counted example by example."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelyard.templates.evaluate.classification import wilson
from modelyard.templates.evaluate.edits import Edit, align, distance, fits

RESAMPLED = 1000
"""Times that the examples are drawn anew for an interval (Efron 1979, the percentile bootstrap)."""
_SEED = 20260101


@dataclass(frozen=True, slots=True)
class Judged:
    """One example."""

    row: int
    """Its number in the split."""
    true: str
    said: str
    confidence: float | None
    edits: int

    @property
    def share(self) -> float:
        """Edits a symbol."""
        return self.edits / max(1, len(self.true))


class Transcription:
    """All examples so far; texts are kept, as the worst are known at the end only."""

    def __init__(self) -> None:
        self.judged: list[Judged] = []
        self.too_long = 0
        self._confused: Counter[tuple[str, str]] = Counter()
        self._plain = [0, 0]
        self._words = [0, 0]

    def add(self, row: int, true: str, said: str, confidence: float | None) -> None:
        """An example; texts that are too long to be compared are counted and left out."""
        if not fits(true, said):
            self.too_long += 1
            return
        wrong = [edit for edit in align(true, said) if not edit.is_right]
        self._confused.update((edit.true, edit.said) for edit in wrong)
        self.judged.append(Judged(row, true, said, confidence, len(wrong)))
        plain = plainly(true), plainly(said)
        self._plain[0] += distance(*plain)
        self._plain[1] += len(plain[0])
        words = true.split(), said.split()
        self._words[0] += distance(*words)
        self._words[1] += len(words[0])

    @property
    def examples(self) -> int:
        return len(self.judged)

    def metrics(self) -> dict[str, float]:
        """`cer` and `exact`; `wer` where there are spaces; `plain_cer`, without case and punctuation, where these make
        a difference."""
        edits, lengths = self._counts()
        found = {
            "cer": float(edits.sum() / max(1, lengths.sum())),
            "exact": float((edits == 0).mean()),
        }
        if self._words[1] > len(self.judged):
            found["wer"] = self._words[0] / self._words[1]
        if any(plainly(each.true) != each.true for each in self.judged):
            found["plain_cer"] = self._plain[0] / max(1, self._plain[1])
        return found

    def intervals(self) -> dict[str, tuple[float, float]]:
        """95 %."""
        edits, lengths = self._counts()
        random = np.random.default_rng(_SEED)
        rates = np.empty(RESAMPLED)
        for number in range(RESAMPLED):
            drawn = random.integers(0, len(edits), len(edits))
            rates[number] = edits[drawn].sum() / max(1, lengths[drawn].sum())
        low, high = np.percentile(rates, (2.5, 97.5)).tolist()
        return {"cer": (low, high), "exact": wilson(int((edits == 0).sum()), len(edits))}

    def confused(self, most: int) -> list[tuple[str, str, int]]:
        """True and written symbol, "" where there is none, and how often: the most frequent first."""
        ranked = sorted(self._confused.items(), key=lambda pair: (-pair[1], pair[0]))
        return [(true, said, count) for (true, said), count in ranked[:most]]

    def worst(self, most: int) -> list[Judged]:
        """The largest share of edits first; of equal ones those that the model was surest of."""
        wrong = [each for each in self.judged if each.edits]
        return sorted(wrong, key=lambda each: (-each.share, -(each.confidence or 0.0), each.row))[:most]

    def _counts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Edits and symbols of each example."""
        edits = np.array([each.edits for each in self.judged], np.int64)
        return edits, np.array([len(each.true) for each in self.judged], np.int64)


def cer(true: Sequence[str], said: Sequence[str]) -> float:
    """Edits a symbol, over all."""
    return sum(map(distance, true, said)) / max(1, sum(map(len, true)))


def plainly(text: str) -> str:
    """Lower case, without punctuation, one space between words."""
    kept = "".join(each if unicodedata.category(each)[0] not in "PS" else " " for each in text.lower())
    return " ".join(kept.split())


def constant(texts: Sequence[str]) -> str:
    """What is written where nothing is looked at: at each place the most frequent symbol of these texts, as long as
    half of them are."""
    length = int(np.median([len(text) for text in texts])) if texts else 0
    places = (Counter(text[place] for text in texts if len(text) > place) for place in range(length))
    return "".join(min(counts, key=lambda symbol: (-counts[symbol], symbol)) for counts in places)


def aligned(judged: Judged) -> list[Edit]:
    """Where it went wrong."""
    return align(judged.true, judged.said)
