"""How well an embedder tells identities apart that it has not seen, after each epoch."""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from embedding_serving import vectors_of
from identity_pictures import Pictures

from modelyard.job import context
from modelyard.job.spread import spread
from modelyard.templates.evaluate.retrieval import Vectors, compare, on_white, pixels
from modelyard.templates.identities import compared
from modelyard.templates.samples import SHOWN, tell

MOST_JUDGED = 2000
"""Pictures that are compared with each other."""


def comparable(held_out: Pictures) -> bool:
    """Whether among those that are compared there are two identities, and two pictures of one."""
    counts = np.diff(held_out.where(compared(held_out.identities, MOST_JUDGED)).starts)
    return len(counts) > 1 and bool((counts > 1).any())


class Judging(keras.callbacks.Callback):
    """Adds `val_auc`, `val_rank1` and, of more than six pictures, `val_rank5` to an epoch's metrics, and tells a few
    neighbours. Comes before the job's own callbacks."""

    def __init__(self, net: keras.Model, held_out: Pictures) -> None:
        super().__init__()
        self._net = net
        self._held_out = held_out.where(compared(held_out.identities, MOST_JUDGED))

    def compared(self) -> Vectors:
        """The pictures as they are now seen."""
        return compare(vectors_of(self._net, self._held_out.pixels), self._held_out.identities)

    def without_learning(self) -> str:
        """What is reached on the same pictures by weights that have learnt nothing, and by no network at all."""
        bare = compare(pixels(on_white(self._held_out.pixels)), self._held_out.identities)
        by = {"this network before it learns": self.compared(), "the cosine of the pixels": bare}
        figures = {name: found.metrics() for name, found in by.items()}
        return "; ".join(
            f"{name} reaches val_auc {each['auc']:.3f}, val_rank1 {each['rank1']:.3f}" for name, each in figures.items()
        )

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """As `evaluate` counts them."""
        found = self.compared()
        logs.update({f"val_{name}": value for name, value in found.metrics().items()})
        tell(context, epoch, self._most_similar(found))

    def _most_similar(self, found: Vectors) -> Iterable[str]:
        """To a few pictures of which there is another of the same identity."""
        nearest = found.nearest(1)[:, 0]
        asked = np.flatnonzero(found.same.any(1))
        for at in asked[spread(len(asked), SHOWN)].tolist():
            path = context.example_path(str(context.held_out), int(self._held_out.rows[at]))
            said, true = (context.classes[self._held_out.identities[each]] for each in (nearest[at], at))
            yield f"{path}: most like one of **{said}** {found.similarity[at, nearest[at]]:.2f} ({true})"
