"""Which of the model's answers means which of the dataset's classes: by name, in whatever order either has them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelyard.job.errors import ModelUnsuitable

SHOWN = 5
"""Class names that a message lists."""


@dataclass(frozen=True, slots=True)
class Matching:
    """The classes of an evaluation: first the dataset's in its order, then those that only the model has."""

    names: tuple[str, ...]
    known_to_dataset: int
    """How many of `names` the dataset has."""
    class_of_answer: NDArray[np.int64]
    """Number of the class in `names`, one for each of the model's answers."""
    by_name: bool
    """False where the model has no class names, so that the dataset's order was taken for its own."""

    @property
    def answer_of_class(self) -> NDArray[np.int64]:
        """The model's answer for each of `names`; -1 where it has none."""
        answers = np.full(len(self.names), -1, np.int64)
        answers[self.class_of_answer] = np.arange(len(self.class_of_answer))
        return answers

    @property
    def unknown_to_model(self) -> tuple[str, ...]:
        """Classes whose examples the model can only get wrong."""
        return tuple(name for name, answer in zip(self.names, self.answer_of_class, strict=True) if answer < 0)

    @property
    def unknown_to_dataset(self) -> tuple[str, ...]:
        """Classes that the model may answer, and always wrongly."""
        return self.names[self.known_to_dataset :]


def match(dataset: Sequence[str], model: Sequence[str] | None, answers: int) -> Matching:
    """`model`: its class names, None where it has none; `answers`: how many values it gives an example.

    Raises ModelUnsuitable where they can't be brought together.
    """
    if model is None:
        if answers != len(dataset):
            raise ModelUnsuitable(
                f"the model has no class names and gives {answers} values an example; the dataset has {len(dataset)} "
                "classes. A model with other classes must name them, in modelyard.model.json or assets/classes.txt"
            )
        return Matching(tuple(dataset), len(dataset), np.arange(answers), by_name=False)
    if len(model) != answers:
        raise ModelUnsuitable(f"the model names {len(model)} classes and gives {answers} values an example")
    if len(set(model)) != len(model):
        twice = next(name for name in model if list(model).count(name) > 1)
        raise ModelUnsuitable(f"the model names class {twice!r:.80} twice")
    numbers = {name: number for number, name in enumerate(dataset)}
    only_model = [name for name in model if name not in numbers]
    if len(only_model) == len(model):
        raise ModelUnsuitable(
            f"model and dataset have no class in common: the model knows {listed(model)}; the dataset {listed(dataset)}"
        )
    names = (*dataset, *only_model)
    numbers = {name: number for number, name in enumerate(names)}
    return Matching(names, len(dataset), np.array([numbers[name] for name in model]), by_name=True)


def listed(names: Sequence[str]) -> str:
    """The first few, and how many more."""
    shown = ", ".join(f"{name:.40}" for name in names[:SHOWN])
    return shown + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
