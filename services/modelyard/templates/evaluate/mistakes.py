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
    image: NDArray[Any] = field(compare=False)

    @property
    def example(self) -> int:
        """The example's number in its split, from 0."""
        return -self.minus_example


class Mistakes:
    """Keeps the worst `count`, with their images."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._worst: list[Mistake] = []

    def add(self, start: int, images: NDArray[Any], true: NDArray[Any], judged: Judged) -> None:
        """A batch, whose first example has the number `start`."""
        for row in (~judged.right).nonzero()[0]:
            probability = float(judged.confidence[row])
            if len(self._worst) == self._count and (not self._count or probability <= self._worst[0].probability):
                continue
            mistake = Mistake(
                probability,
                -(start + int(row)),
                int(true[row]),
                int(judged.predicted[row]),
                float(judged.true_probability[row]),
                images[row].copy(),
            )
            if len(self._worst) < self._count:
                heapq.heappush(self._worst, mistake)
            else:
                heapq.heappushpop(self._worst, mistake)

    @property
    def worst(self) -> list[Mistake]:
        """The worst first."""
        return sorted(self._worst, reverse=True)
