"""What a model that finds things calls them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.job.errors import ModelUnsuitable
from modelyard.templates.evaluate.matching import SHOWN, Matching, listed


class Labels:
    """What a model calls what it finds: the names of classes, or their places in its own list of them, in the dataset's
    where it has none."""

    def __init__(self, matching: Matching) -> None:
        self.are_places = False
        """Known once a label has been read."""
        self._matching = matching
        self._numbers = {name.encode(): number for number, name in enumerate(matching.names)}
        self._known = False
        self._strange: dict[bytes, None] = {}
        """Some labels of boxes that are no class."""

    def numbers(self, labels: NDArray[Any], scores: NDArray[Any]) -> NDArray[np.int64]:
        """[boxes] each -> the classes' numbers in the matching, -1 for what is none."""
        self.are_places = labels.dtype.kind in "iu"
        found = self._at(labels) if self.are_places else self._named(labels)
        self._known |= bool((found >= 0).any())
        if not self._known:
            # What fills up the last places has no name or no score.
            names = [_name(each) for each in labels[(found < 0) & (scores > 0)].tolist()]
            self._strange |= dict.fromkeys(name for name in names if name)
            self._strange = dict.fromkeys(list(self._strange)[:SHOWN])
        return found

    def _at(self, places: NDArray[Any]) -> NDArray[np.int64]:
        classes = self._matching.class_of_answer
        there = (places >= 0) & (places < len(classes))
        return np.where(there, classes[np.where(there, places, 0)], -1)

    def _named(self, names: NDArray[Any]) -> NDArray[np.int64]:
        return np.array([self._numbers.get(_name(each), -1) for each in names.tolist()], np.int64)

    def check(self) -> None:
        """Raises ModelUnsuitable where labels were answered and none is a class: no figure would say that."""
        if self._strange and not self._known:
            said = listed([name.decode(errors="replace") for name in self._strange])
            raise ModelUnsuitable(
                f"no label that the model answers is a class: it answers {said}; the classes are "
                f"{listed(self._matching.names)}. Labels are names of classes, or whole numbers from 0: their places "
                "among the classes in modelyard.model.json, or among the dataset's where the model names none",
                field="model",
            )


def _name(label: Any) -> bytes:
    return label if isinstance(label, bytes) else str(label).encode()
