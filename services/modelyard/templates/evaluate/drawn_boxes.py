"""The images on which a detector does worst, with what it found and what it missed."""

import heapq
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.job.index import Examples
from modelyard.templates.evaluate.average_precision import Boxes, overlap
from modelyard.templates.evaluate.exhibits import exhibit

SURE = 0.3
"""Boxes of a lower score are not drawn, and an object that only such a one hits is missed."""


@dataclass(frozen=True, slots=True, order=True)
class Image:
    """The larger, the worse; of equal ones the earlier."""

    wrong: float
    """What was missed, and the scores of what is not there."""
    minus_row: int
    found: Boxes = field(compare=False)
    right: NDArray[np.bool_] = field(compare=False)
    """Of what was found."""
    missed: Boxes = field(compare=False)


class Drawn:
    """Keeps the worst `count`."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._kept: list[Image] = []

    def add(self, row: int, true: Boxes, found: Boxes, made: NDArray[np.bool_]) -> None:
        """An image; `made`: which of its surest boxes hit, as `Precision.add` answers it."""
        found = found.surest()
        sure = found.scores >= SURE
        found, right = found.where(sure), made[sure, 0]
        missed = true.where(~_hit(true, found.where(right)))
        wrong = len(missed) + float(found.scores[~right].sum())
        if wrong <= 0 or not self._count:
            return
        heapq.heappush(self._kept, Image(wrong, -row, found, right, missed))
        if len(self._kept) > self._count:
            heapq.heappop(self._kept)

    @property
    def worst(self) -> list[Image]:
        """The worst first."""
        return sorted(self._kept, reverse=True)


def _hit(true: Boxes, right: Boxes) -> NDArray[np.bool_]:
    """Which true boxes the right ones hit."""
    if not len(true) or not len(right):
        return np.zeros(len(true), np.bool_)
    return np.asarray(((overlap(true.edges, right.edges) >= 0.5) & (true.labels[:, None] == right.labels)).any(1))


def worst(
    drawn: Drawn, examples: Examples, image: str, size: tuple[int, int], names: tuple[str, ...]
) -> list[dict[str, Any]]:
    """As evaluation.json has them; edges are in the pixels of a picture of this size."""
    feature = examples.features[image]
    return [
        {
            "example": -each.minus_row,
            **exhibit(examples, [feature], -each.minus_row),
            "height": size[0],
            "width": size[1],
            "found": [
                {**box, "right": bool(right)}
                for box, right in zip(_boxes(each.found, names), each.right.tolist(), strict=True)
            ],
            "missed": [
                {key: value for key, value in box.items() if key != "score"} for box in _boxes(each.missed, names)
            ],
        }
        for each in drawn.worst
    ]


def _boxes(boxes: Boxes, names: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {"box": [round(float(edge), 1) for edge in edges], "class": names[label], "score": round(float(score), 4)}
        for edges, label, score in zip(boxes.edges, boxes.labels.tolist(), boxes.scores, strict=True)
    ]
