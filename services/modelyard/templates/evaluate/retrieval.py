"""Whether what is alike lies together: pictures as vectors, and which are of the same thing.

`auc` is how often two pictures of one identity are more similar than two of different ones, over all pairs; `rank1` how
often the picture that is most similar to one, of all others, is of the same identity; `rank5` how often one of the five
most similar is.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelyard.templates.evaluate.ranking import auc

NEAR = 5
"""Of `rank5`."""
MOST_PAIRS = 400_000
"""Of different identities, for the interval of `auc`."""
_REPEATS, _SEED = 100, 20260101
_NEVER = -2.0
Interval = tuple[float, float]


@dataclass(frozen=True)
class Vectors:
    """Of n pictures."""

    similarity: NDArray[np.float32]
    """[n, n]: cosines; a picture to itself is NEVER."""
    identities: NDArray[np.int64]
    """[n]."""

    @property
    def same(self) -> NDArray[np.bool_]:
        """[n, n]: whether two are of one identity, and not the same picture."""
        same = self.identities[:, None] == self.identities[None]
        np.fill_diagonal(same, val=False)
        return np.asarray(same)

    def nearest(self, count: int) -> NDArray[np.int64]:
        """The numbers of those most similar to each, [n, count]; the nearest first."""
        return np.argsort(-self.similarity, axis=1, kind="stable")[:, :count]

    def metrics(self) -> dict[str, float]:
        """`auc`, `rank1`, `rank5`; needs two pictures of one identity, and one of another. Of so few pictures that all
        others are among the five most similar `rank5` would say nothing, and is not there."""
        upper = np.triu_indices(len(self.identities), 1)
        found = auc(self.same[upper], self.similarity[upper].astype(np.float64))
        asked = self._asked()
        hit = self.identities[self.nearest(NEAR)] == self.identities[:, None]
        return {
            **({"auc": found[0]} if found else {}),
            "rank1": float(hit[asked, 0].mean()),
            **({"rank5": float(hit[asked].any(1).mean())} if len(self.identities) - 1 > NEAR else {}),
        }

    def intervals(self) -> dict[str, Interval]:
        """Of 95 %, by bootstrap over identities; of few identities some draws have nothing to compare, and do not
        count: where none has, there is no interval."""
        random = np.random.default_rng(_SEED)
        names, numbers = np.unique(self.identities, return_inverse=True)
        first, second = np.triu_indices(len(numbers), 1)
        same = numbers[first] == numbers[second]
        kept = np.flatnonzero(same)
        other = np.flatnonzero(~same)
        if len(other) > MOST_PAIRS:
            other = random.choice(other, MOST_PAIRS, replace=False)
        kept = np.concatenate([kept, other])
        _, level = np.unique(self.similarity[first[kept], second[kept]], return_inverse=True)
        first, second, same = numbers[first[kept]], numbers[second[kept]], same[kept]
        hit = (self.identities[self.nearest(1)[:, 0]] == self.identities)[self._asked()]
        of_hit = numbers[self._asked()]
        areas: list[float] = []
        ranks: list[float] = []
        for _ in range(_REPEATS):
            times = random.multinomial(len(names), np.full(len(names), 1 / len(names)))
            weights = np.where(same, times[first], times[first] * times[second]).astype(np.float64)
            alike, apart = (np.bincount(level, weights * some) for some in (same, ~same))
            if alike.any() and apart.any():
                # Of equal similarities half.
                below = np.cumsum(apart) - apart / 2
                areas.append(float(alike @ below / (alike.sum() * apart.sum())))
            if times[of_hit].any():
                ranks.append(float(hit @ times[of_hit] / times[of_hit].sum()))
        return {name: _ends(values) for name, values in (("auc", areas), ("rank1", ranks)) if values}

    def threshold(self) -> float:
        """The similarity that parts pictures of one identity best from those of different ones: it accepts as large a
        share of the first as it refuses of the second, weighed alike."""
        upper = np.triu_indices(len(self.identities), 1)
        same, scores = self.same[upper], self.similarity[upper]
        order = np.argsort(scores, kind="stable")
        same, scores = same[order], scores[order]
        refused = np.cumsum(~same) / max(1, int((~same).sum()))
        accepted = 1 - np.cumsum(same) / max(1, int(same.sum()))
        best = int((refused + accepted).argmax())
        return float((scores[best] + scores[min(best + 1, len(scores) - 1)]) / 2)

    def chance(self) -> float:
        """`rank1` of a picture that is drawn from all others."""
        asked = self._asked()
        return float(self.same[asked].sum(1).mean() / max(1, len(self.identities) - 1))

    def _asked(self) -> NDArray[np.int64]:
        """Those of whose identity there is another picture."""
        return np.flatnonzero(self.same.any(1))


def compare(vectors: NDArray[np.float32], identities: NDArray[np.int64]) -> Vectors:
    """[n, d] of any length, and [n]."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    similarity = (unit @ unit.T).astype(np.float32)
    np.fill_diagonal(similarity, _NEVER)
    return Vectors(similarity, identities)


def on_white(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """[n, h, w, c]: what is transparent, in the fourth of four channels, shows white."""
    if images.shape[-1] != 4:
        return images
    opaque = images[..., 3:].astype(np.float32) / 255
    return (images[..., :3] * opaque + 255 * (1 - opaque)).round().astype(np.uint8)


def pixels(pictures: NDArray[np.uint8], side: int = 32) -> NDArray[np.float32]:
    """[n, h, w, c] as vectors of pixels without what all of them have in common: what needs no learning."""
    height, width = pictures.shape[1:3]
    rows, columns = ((np.arange(side) * size) // side for size in (height, width))
    small = pictures.astype(np.float32)
    if min(height, width) >= side:
        small = np.add.reduceat(np.add.reduceat(small, rows, 1), columns, 2)
        areas = np.diff(np.append(rows, height))[:, None] * np.diff(np.append(columns, width))[None]
        small /= areas[None, :, :, None]
    flat = small.reshape(len(pictures), -1)
    return np.asarray(flat - flat.mean(0))


def _ends(values: list[float]) -> Interval:
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)
