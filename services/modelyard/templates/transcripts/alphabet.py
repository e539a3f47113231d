"""The symbols that transcripts are made of, and their numbers; 0 is CTC's blank and what fills a label up."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelyard.job.errors import DatasetUnsuitable

MOST_SYMBOLS = 2_000
"""More than that are words or characters of a script that takes another network."""


@dataclass(frozen=True, slots=True)
class Alphabet:
    """Symbol n has the number n + 1."""

    symbols: tuple[str, ...]
    never_shown: tuple[str, ...] = ()
    """Symbols that were asked for and no transcript has: a network can't learn what it is never shown."""

    def numbers(self, texts: Sequence[str]) -> NDArray[np.int32]:
        """[n, longest], filled up with 0; all symbols must be known."""
        number = {symbol: place for place, symbol in enumerate(self.symbols, 1)}
        found = np.zeros((len(texts), max(1, max(map(len, texts), default=1))), np.int32)
        for row, text in enumerate(texts):
            found[row, : len(text)] = [number[symbol] for symbol in text]
        return found

    def text(self, numbers: Sequence[int]) -> str:
        """What these numbers stand for."""
        return "".join(self.symbols[number - 1] for number in numbers if number)

    def summary(self, split: str) -> str:
        """What it has, and what was left out of it, in a sentence."""
        said = f"{len(self.symbols)} symbols: {' '.join(map(repr, self.symbols))}"
        if self.never_shown:
            said += (
                f"; {' '.join(map(repr, self.never_shown))} left out: asked for in parameters.alphabet, and in no "
                f"transcript of split {split!r}"
            )
        return said

    def lacks(self, text: str) -> str:
        """The first symbol of the text that is not in it; "" where all are."""
        return next((symbol for symbol in text if symbol not in self.symbols), "")


def learn(texts: Iterable[str], given: str, split: str) -> Alphabet:
    """The symbols of these texts, or those `given` that they have. Raises DatasetUnsuitable where they have none."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text)
    if not counts:
        raise DatasetUnsuitable(f"all transcripts of split {split!r} are empty; there is nothing to write down")
    if len(counts) > MOST_SYMBOLS:
        raise DatasetUnsuitable(
            f"the transcripts of split {split!r} have {len(counts):,} different symbols; {MOST_SYMBOLS:,} are the most"
        )
    wanted = set(given) or set(counts)
    return Alphabet(tuple(sorted(wanted & set(counts))), tuple(sorted(wanted - set(counts))))


def plain(text: str) -> str:
    """Lower case, without punctuation, one space between words."""
    kept = "".join(each if unicodedata.category(each)[0] not in "PS" else " " for each in text.lower())
    return " ".join(kept.split())
