"""The variables that Keras makes during a fit's first step, made before it: going on needs all of them."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf
from keras import tree
from keras.src.trainers.data_adapters import get_data_adapter


def build(model: Any, spec: Any, first_batch: Callable[[], Any]) -> None:
    """Make the variables of model, optimizers and metrics. What it changes is to be restored afterwards.

    `spec`: shapes and types of a batch; None where only reading one tells.
    """
    if _has_own_step(model):
        _try_a_step(model, first_batch())
        return
    if _is_built(model):
        return
    given = tree.map_structure(_spec, first_batch()) if spec is None else spec
    try:
        with model.distribute_strategy.scope():
            model._symbolic_build(data_batch=given)
    except RuntimeError:
        # Keras cannot follow this model without numbers.
        _try_a_step(model, first_batch())


def _has_own_step(model: Any) -> bool:
    """Only such a step itself knows which of the variables it makes."""
    return type(model).train_step is not keras.Model.train_step or "train_step" in vars(model)


def _is_built(model: Any) -> bool:
    parts = [*model._flatten_layers(), model._compile_metrics, model._compile_loss, model.optimizer]
    return all(part is None or part.built for part in parts)


def _try_a_step(model: Any, batch: Any) -> None:
    # Each of several devices takes the whole of what it is given here.
    devices = model.distribute_strategy.num_replicas_in_sync
    part = tree.map_structure(lambda leaf: None if leaf is None else leaf[: -(-leaf.shape[0] // devices)], batch)
    model.train_function(iter([part] * model.steps_per_execution))


def batch_of(arguments: Mapping[str, Any]) -> Any:
    """The first batch of what `fit` was given, as its step takes it."""
    x = arguments["x"]
    if isinstance(x, Peeked):
        return _tensors(x.first[0])
    if isinstance(x, keras.utils.PyDataset):
        # Keras's way to read it starts threads or processes.
        return _tensors(x[0])
    names = ("x", "y", "sample_weight", "batch_size", "class_weight")
    adapter = get_data_adapter(**{name: arguments[name] for name in names}, shuffle=False)
    return next(iter(adapter.get_tf_dataset()))


class Peeked:
    """A generator of which the first batch is known, and not lost."""

    def __init__(self, generator: Iterator[Any]) -> None:
        self.first = list(itertools.islice(generator, 1))
        """[the batch]; [] where there is none, of which Keras tells."""
        self._rest = generator

    def whole(self) -> Iterator[Any]:
        """All of it, as a generator, which is what Keras takes."""
        yield from self.first
        yield from self._rest


def _tensors(batch: Any) -> Any:
    return tree.map_structure(
        lambda part: None if part is None else tf.convert_to_tensor(part), tree.lists_to_tuples(batch)
    )


def _spec(part: Any) -> Any:
    return None if part is None else tf.TensorSpec((None, *part.shape[1:]), part.dtype)
