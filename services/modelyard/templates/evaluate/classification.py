"""How a classifier does, counted batch by batch: memory depends on the number of classes, not of examples; only of two
classes there is one score an example, for the area under the ROC curve.

Definitions are scikit-learn's (`precision_recall_fscore_support`, `log_loss`, `top_k_accuracy_score`), where a quotient
of nothing counts as 0 in a mean. Means over classes are over those that have examples. The logarithm's argument is kept
between 1e-7 and 1 - 1e-7, as Keras does in its cross-entropies, so that `log_loss` is the loss that training shows.
"""

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelyard.templates.evaluate.calibration import Reliability
from modelyard.templates.evaluate.matching import Matching
from modelyard.templates.evaluate.ranking import Z_95, auc

EPSILON = 1e-7
TOP = 5
TOP_CLASSES = 10
"""With fewer answers than that, being among the best five says little."""


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """One class; None where there is nothing to divide by."""

    name: str
    support: int
    """Examples of it."""
    predicted: int
    """Examples that were taken for it."""
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, slots=True)
class Judged:
    """One batch: [n] each."""

    predicted: NDArray[np.int64]
    """Numbers of classes."""
    confidence: NDArray[np.float64]
    """The probability of the predicted class."""
    true_probability: NDArray[np.float64]
    """The probability of the true class; 0 where the model does not know it."""
    right: NDArray[np.bool_]


class Classification:
    """Counts over the examples so far."""

    def __init__(self, matching: Matching, bins: int) -> None:
        self.matching = matching
        self.examples = 0
        self.confusion: Counter[tuple[int, int]] = Counter()
        """Examples by (true class, predicted class)."""
        self.reliability = Reliability(bins)
        self._answers = matching.answer_of_class
        self._right = 0
        self._among_top = 0
        self._log_loss = 0.0
        self._log_loss_squared = 0.0
        self._scores: list[NDArray[np.float64]] = []
        """Of two classes: the probability of the second."""
        self._positive: list[NDArray[np.bool_]] = []
        self._known = 0
        """Examples of classes that the model knows."""

    def add(self, true: NDArray[np.int64], probabilities: NDArray[np.float64]) -> Judged:
        """`true` [n]: classes of the dataset; `probabilities` [n, answers]: the model's, in its own order."""
        rows = np.arange(len(true))
        best = probabilities.argmax(1)
        predicted = self.matching.class_of_answer[best]
        right = predicted == true
        confidence = probabilities[rows, best]
        answers = self._answers[true]
        known = answers >= 0
        of_true = np.where(known, probabilities[rows, answers], 0.0)
        self.examples += len(true)
        self._known += int(known.sum())
        self._right += int(right.sum())
        losses = -np.log(np.clip(of_true[known], EPSILON, 1 - EPSILON))
        self._log_loss += float(losses.sum())
        self._log_loss_squared += float((losses**2).sum())
        if self.has_two_classes:
            self._scores.append(probabilities[:, self._answers[1]])
            self._positive.append(true == 1)
        # Of equal probabilities the first counts as the larger, as it does for argmax.
        before = (probabilities == of_true[:, None]) & (np.arange(probabilities.shape[1]) < answers[:, None])
        rank = (probabilities > of_true[:, None]).sum(1) + before.sum(1)
        self._among_top += int((known & (rank < TOP)).sum())
        self.reliability.add(confidence, right)
        pairs, counts = np.unique(np.stack([true, predicted]), axis=1, return_counts=True)
        for (actual, answered), count in zip(pairs.T.tolist(), counts.tolist(), strict=True):
            self.confusion[actual, answered] += count
        return Judged(predicted, confidence, of_true, right)

    @property
    def has_two_classes(self) -> bool:
        """Whether model and dataset tell the same two classes apart; the second one is the positive one."""
        return len(self.matching.names) == 2 and bool((self._answers >= 0).all())

    def classes(self) -> list[ClassFigures]:
        """All of them, in the matching's order."""
        support, predicted, right = (Counter[int]() for _ in range(3))
        for (actual, answered), count in self.confusion.items():
            support[actual] += count
            predicted[answered] += count
            right[actual] += count * (actual == answered)
        return [
            _figures(name, support[number], predicted[number], right[number])
            for number, name in enumerate(self.matching.names)
        ]

    def metrics(self) -> dict[str, float]:
        """By name; needs at least one example."""
        low, high = wilson(self._right, self.examples)
        judged = [each for each in self.classes() if each.support]
        found = {
            "accuracy": self._right / self.examples,
            "accuracy_low": low,
            "accuracy_high": high,
            "macro_precision": sum(each.precision or 0.0 for each in judged) / len(judged),
            "macro_recall": sum(each.recall or 0.0 for each in judged) / len(judged),
            "macro_f1": sum(each.f1 or 0.0 for each in judged) / len(judged),
            "ece": self.reliability.expected_error,
            "mce": self.reliability.maximum_error,
        }
        if self._known:
            found["log_loss"] = self._log_loss / self._known
        if len(self.matching.class_of_answer) >= TOP_CLASSES:
            found["top5_accuracy"] = self._among_top / self.examples
        if area := self._area():
            found["auc"] = area[0]
        return found

    def intervals(self) -> dict[str, tuple[float, float]]:
        """Of 95 %, by metric: Wilson's of shares, DeLong's of `auc`, the normal one of the mean `log_loss`."""
        found = {"accuracy": wilson(self._right, self.examples)}
        if len(self.matching.class_of_answer) >= TOP_CLASSES:
            found["top5_accuracy"] = wilson(self._among_top, self.examples)
        if self._known > 1:
            mean = self._log_loss / self._known
            variance = max(0.0, self._log_loss_squared / self._known - mean**2) * self._known / (self._known - 1)
            spread = Z_95 * math.sqrt(variance / self._known)
            found["log_loss"] = (max(0.0, mean - spread), mean + spread)
        if area := self._area():
            found["auc"] = area[1:]
        return found

    def _area(self) -> tuple[float, float, float] | None:
        return auc(np.concatenate(self._positive), np.concatenate(self._scores)) if self._scores else None


def _figures(name: str, support: int, predicted: int, right: int) -> ClassFigures:
    return ClassFigures(
        name,
        support,
        predicted,
        right / predicted if predicted else None,
        right / support if support else None,
        2 * right / (support + predicted) if support + predicted else None,
    )


def wilson(right: int, examples: int, z: float = Z_95) -> tuple[float, float]:
    """The interval that holds the true rate in 95 of 100 samples (Wilson 1927); it never leaves 0..1."""
    rate = right / examples
    centre = rate + z**2 / (2 * examples)
    spread = z * math.sqrt(rate * (1 - rate) / examples + z**2 / (4 * examples**2))
    scale = 1 + z**2 / examples
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
