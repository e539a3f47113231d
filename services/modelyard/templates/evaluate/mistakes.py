"""The worst mistakes: of the examples that a classifier got wrong, those that it was surest of."""

import heapq
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from modelyard.templates.evaluate.classification import Judged


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """The larger, the worse; of equal ones the earlier example."""

    probability: float
    """Of the wrong answer."""
    minus_example: int
    """The example's number in its split, negative."""
    true: int = field(compare=False)
    predicted: int = field(compare=False)
    true_probability: float = field(compare=False)

    @property
    def example(self) -> int:
        """The example's number in its split, from 0."""
        return -self.minus_example


class Mistakes:
    """Keeps the worst `count`; of each of `classes` true classes equally many, where that is at least one each."""

    def __init__(self, count: int, classes: int = 1) -> None:
        self._most = count // classes if count >= classes > 1 else count
        self._apart = count >= classes > 1
        self._worst: dict[int, list[Mistake]] = {}

    def add(self, rows: NDArray[Any], true: NDArray[Any], judged: Judged) -> None:
        """A batch of the examples with the numbers `rows`."""
        for place in (~judged.right).nonzero()[0]:
            probability = float(judged.confidence[place])
            worst = self._worst.setdefault(int(true[place]) if self._apart else 0, [])
            if len(worst) == self._most and (not self._most or probability <= worst[0].probability):
                continue
            mistake = Mistake(
                probability,
                -int(rows[place]),
                int(true[place]),
                int(judged.predicted[place]),
                float(judged.true_probability[place]),
            )
            if len(worst) < self._most:
                heapq.heappush(worst, mistake)
            else:
                heapq.heappushpop(worst, mistake)

    @property
    def worst(self) -> list[Mistake]:
        """The worst first."""
        return sorted((each for kept in self._worst.values() for each in kept), reverse=True)
