"""How near answered texts are to their references. Kept is what each example adds, so that a corpus's figure has its
interval by drawing examples anew (Koehn 2004, "Statistical Significance Tests for Machine Translation Evaluation")."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelyard.templates.evaluate.regression import Interval, mean_interval
from modelyard.templates.text_scores import bleu, chrf, rouge

DRAWS = 1000
_AT_ONCE = 50
"""Draws that are held: each has a number an example."""
_SEED = 20260101
SUMMARISATION = "summarisation"


@dataclass(frozen=True, slots=True)
class Wording:
    """Of n examples."""

    bleu: NDArray[np.int64]
    """[n, …], `bleu.counts`."""
    chrf: NDArray[np.int64]
    """[n, …], `chrf.counts`."""
    rouge_l: NDArray[np.float64]
    rouge_1: NDArray[np.float64]
    exact: NDArray[np.float64]

    @property
    def each(self) -> NDArray[np.float64]:
        """chrF of each example."""
        return chrf.of_counts(self.chrf)


def compared(answers: Sequence[str], references: Sequence[str]) -> Wording:
    """Of at least one example."""
    pairs = list(zip(answers, references, strict=True))
    return Wording(
        np.array([bleu.counts(*pair) for pair in pairs]),
        np.array([chrf.counts(*pair) for pair in pairs]),
        np.array([rouge.rouge_l(*pair) for pair in pairs]),
        np.array([rouge.rouge_1(*pair) for pair in pairs]),
        np.array([float(" ".join(one.split()) == " ".join(other.split())) for one, other in pairs]),
    )


def headline(task: str) -> str:
    """The metric that a task is judged by."""
    return "rouge_l" if task == SUMMARISATION else "bleu"


def metrics(found: Wording, task: str) -> dict[str, float]:
    """The one that the task is judged by first: `bleu` and `chrf` (0 to 100) of the corpus, the mean of `rouge_l`,
    `rouge_1` and `exact` (0 to 1), and `length`, words of the answers over those of the references."""
    said, wanted = found.bleu[:, :2].sum(axis=0).tolist()
    values = {
        "bleu": float(bleu.of_counts(found.bleu.sum(axis=0))),
        "chrf": float(chrf.of_counts(found.chrf.sum(axis=0))),
        "rouge_l": float(found.rouge_l.mean()),
        "rouge_1": float(found.rouge_1.mean()),
        "exact": float(found.exact.mean()),
        "length": said / max(1, wanted),
    }
    first = headline(task)
    return {first: values.pop(first), **values}


def intervals(found: Wording) -> dict[str, Interval]:
    """95 %; {} for one example."""
    count = len(found.exact)
    if count < 2:
        return {}
    random, chances = np.random.default_rng(_SEED), np.full(count, 1 / count)
    sums: dict[str, list[NDArray[np.int64]]] = {"bleu": [], "chrf": []}
    for _ in range(0, DRAWS, _AT_ONCE):
        draws = random.multinomial(count, chances, _AT_ONCE)
        for name, some in sums.items():
            some.append(np.einsum("dn,n...->d...", draws, getattr(found, name)))
    again = {
        "bleu": bleu.of_counts(np.concatenate(sums["bleu"])),
        "chrf": chrf.of_counts(np.concatenate(sums["chrf"])),
    }
    ends = {name: np.quantile(values, (0.025, 0.975)).tolist() for name, values in again.items()}
    for name in ("rouge_l", "rouge_1", "exact"):
        low, high = mean_interval(getattr(found, name))
        ends[name] = [max(0.0, low), min(1.0, high)]
    return {name: (low, high) for name, (low, high) in ends.items()}
