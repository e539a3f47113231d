"""The optimizers of a model beside the one of `compile`, as a step or a callback of the code's own uses them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras


def beside(model: Any) -> Iterator[tuple[str, Any, Any]]:
    """Of the model and of those in it: a name that is the same when the same code runs again, whose it is, and it."""
    seen = {id(model.optimizer)}
    parts = [part for part in model._flatten_layers() if isinstance(part, keras.Model)]
    for number, part in enumerate(parts):
        for attribute, value in sorted(vars(part).items()):
            for name, one in _held(attribute, value):
                if isinstance(one, keras.optimizers.Optimizer) and id(one) not in seen:
                    seen.add(id(one))
                    yield (f"{number}.{name}" if number else name), part, one


def build(model: Any, saved: Sequence[str]) -> None:
    """Make the variables of those that a checkpoint with these names has in use: a first step need not make them."""
    for name, part, optimizer in beside(model):
        there = sum(one.startswith(f"optimizer.{name}/") for one in saved)
        if not optimizer.built and there > len(optimizer.variables):
            optimizer.build(part.trainable_variables)


def _held(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """An attribute, or what is in it where it is a dict or a list."""
    if isinstance(value, Mapping):
        yield from ((f"{name}.{key}", one) for key, one in value.items())
    elif isinstance(value, (list, tuple)):
        yield from ((f"{name}.{number}", one) for number, one in enumerate(value))
    else:
        yield name, value
