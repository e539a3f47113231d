"""Average precision of boxes, as the COCO evaluation has it (cocoapi, cocoeval.py).

The boxes of a class, the surest first, take of the true boxes of their image the one that they overlap most and that
none has taken; precision over recall, made falling, is read at 101 recalls, and their mean is the class's average
precision. `map50` is the mean over classes where half of the union must overlap, `map` also over overlaps up to .95.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

OVERLAPS = np.round(np.arange(0.5, 1.0, 0.05), 2)
"""Intersection over union that makes a hit."""
RECALLS = np.linspace(0, 1, 101)
MOST_BOXES = 100
"""Of a class on an image: the surest."""
_REPEATS, _SEED = 200, 20260101
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Boxes:
    """On one image, n of them."""

    edges: NDArray[np.float32]
    """[n, 4]: x_min, y_min, x_max, y_max."""
    labels: NDArray[np.int64]
    """[n]."""
    scores: NDArray[np.float32]
    """[n]; of true ones nothing that is used."""

    def __len__(self) -> int:
        return len(self.labels)

    def where(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> "Boxes":
        """Some of them."""
        return Boxes(self.edges[which], self.labels[which], self.scores[which])

    def surest(self) -> "Boxes":
        """Those that count, in the order of their scores."""
        order = np.argsort(-self.scores, kind="stable")
        place = np.zeros(len(self), np.int64)
        for label in np.unique(self.labels):
            of_class = self.labels[order] == label
            place[of_class] = np.arange(of_class.sum())
        return self.where(order[place < MOST_BOXES])


def true_boxes(edges: NDArray[np.float32], labels: NDArray[np.int64]) -> Boxes:
    """Of rows that are filled up: a label below 0 is none."""
    there = np.flatnonzero(labels >= 0)
    return Boxes(edges[there], labels[there], np.ones(len(there), np.float32))


def overlap(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
    """Intersection over union of all pairs: [n, m]."""
    a, b = one.astype(np.float64)[:, None], other.astype(np.float64)[None]
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    both = np.prod(np.maximum(sides, 0), -1)
    areas = [np.prod(np.maximum(each[..., 2:] - each[..., :2], 0), -1) for each in (a, b)]
    return both / np.maximum(areas[0] + areas[1] - both, 1e-12)


def hits(true: Boxes, found: Boxes) -> NDArray[np.bool_]:
    """Which of `found`, the surest first, hit: [n, overlaps]."""
    made = np.zeros((len(found), len(OVERLAPS)), np.bool_)
    if not len(true) or not len(found):
        return made
    shared = np.where(found.labels[:, None] == true.labels[None], overlap(found.edges, true.edges), 0.0)
    taken = np.zeros((len(OVERLAPS), len(true)), np.bool_)
    each = np.arange(len(OVERLAPS))
    for place in np.flatnonzero(shared.max(1) >= OVERLAPS[0]).tolist():
        fits = np.where(taken | (shared[place] < OVERLAPS[:, None]), 0.0, shared[place])
        best = fits.argmax(1)
        made[place] = fits[each, best] > 0
        taken[each, best] |= made[place]
    return made


class Precision:
    """The images so far."""

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self.images = 0
        self._labels: list[NDArray[np.int64]] = []
        self._scores: list[NDArray[np.float32]] = []
        self._hits: list[NDArray[np.bool_]] = []
        self._true: list[NDArray[np.int64]] = []

    def add(self, true: Boxes, found: Boxes) -> NDArray[np.bool_]:
        """An image; answers which of its surest hit: [n, overlaps]."""
        found = found.surest()
        made = hits(true, found)
        self._labels.append(found.labels)
        self._scores.append(found.scores)
        self._hits.append(made)
        self._true.append(true.labels)
        self.images += 1
        return made

    def by_class(self) -> NDArray[np.float64]:
        """[classes, overlaps]; NaN for a class of which there is no true box."""
        return self._by_class(np.ones(self.images))

    def counts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """True boxes and found ones by class."""
        return tuple(  # type: ignore[return-value]
            np.bincount(np.concatenate(of) if of else np.zeros(0, np.int64), minlength=self.classes)
            for of in (self._true, self._labels)
        )

    def metrics(self) -> dict[str, float]:
        """`map50`, `map75` and `map`; needs one true box."""
        return _means(self.by_class())

    def intervals(self) -> tuple[dict[str, Interval], NDArray[np.float64]]:
        """Of 95 %, by bootstrap over images: of the metrics, and of each class's precision at half an overlap,
        [classes, 2], NaN where it has none."""
        random = np.random.default_rng(_SEED)
        share = np.full(self.images, 1 / max(1, self.images))
        drawn = [self._by_class(random.multinomial(self.images, share)) for _ in range(_REPEATS)]
        means = [_means(each) for each in drawn if np.isfinite(each[:, 0]).any()]
        ends = {name: _ends(np.array([each[name] for each in means])) for name in (means[0] if means else {})}
        classes = np.array([_ends(column) for column in np.stack([each[:, 0] for each in drawn], 1)])
        return ends, classes

    def _by_class(self, weights: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.float64]:
        """Where image i is there `weights[i]` times."""
        found = np.full((self.classes, len(OVERLAPS)), np.nan)
        labels, scores, made = np.concatenate(self._labels), np.concatenate(self._scores), np.concatenate(self._hits)
        of_found = np.repeat(weights, [len(each) for each in self._labels])
        true = np.concatenate(self._true)
        of_true = np.repeat(weights, [len(each) for each in self._true])
        order = np.argsort(-scores, kind="stable")
        labels, made, of_found = labels[order], made[order], of_found[order]
        for label in range(self.classes):
            total = float(of_true[true == label].sum())
            mine = labels == label
            if total:
                found[label] = _average(made[mine], of_found[mine], total)
        return found


def _average(
    made: NDArray[np.bool_], weights: NDArray[np.float64] | NDArray[np.int64], total: float
) -> NDArray[np.float64]:
    """[overlaps], of one class's boxes with the surest first."""
    if not len(made):
        return np.zeros(len(OVERLAPS))
    right = np.cumsum(made * weights[:, None], 0)
    precision = right / np.maximum(np.cumsum(weights), 1e-12)[:, None]
    falling = np.maximum.accumulate(precision[::-1], 0)[::-1]
    found = np.zeros(len(OVERLAPS))
    for at in range(len(OVERLAPS)):
        places = np.searchsorted(right[:, at] / total, RECALLS)
        reached = places < len(made)
        found[at] = np.where(reached, falling[np.minimum(places, len(made) - 1), at], 0.0).mean()
    return found


def _means(by_class: NDArray[np.float64]) -> dict[str, float]:
    known = by_class[np.isfinite(by_class[:, 0])]
    return {
        "map50": float(known[:, 0].mean()),
        "map75": float(known[:, 5].mean()),
        "map": float(known.mean()),
    }


def _ends(values: NDArray[np.float64]) -> Interval:
    known = values[np.isfinite(values)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, (0.025, 0.975))
    return float(low), float(high)


def judged(classes: int, images: Iterable[tuple[Boxes, Boxes]]) -> Precision:
    """Of pairs of what is true and what was found."""
    made = Precision(classes)
    for true, found in images:
        made.add(true, found)
    return made
