"""Inside a job every Keras `fit` reports, checkpoints and goes on after a crash, whatever the script says."""

import functools
import inspect
import math
import types
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import tree

from modelyard.job import building
from modelyard.job.errors import Diverged
from modelyard.job.fits import FitCallback
from modelyard.job.fitting import Fit, check_labels, diagnose
from modelyard.job.session import Context


def install(context: Context, *, quiet: bool = True) -> None:
    """Wrap keras.Model.fit for the rest of this process. `quiet`: a line an epoch in the log instead of a bar."""
    plain = keras.Model.fit
    signature = inspect.signature(plain)

    @functools.wraps(plain)
    def fit(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = Fit(bound.arguments["self"], bound.arguments["x"], bound.arguments["y"])
        context.fed.saw(given.model, given.x)
        check_labels(given)
        callback = _our_callback(bound.arguments, context)
        try:
            _arrange(bound.arguments, context, callback, quiet=quiet)
            return plain(*bound.args, **bound.kwargs)
        except (ValueError, TypeError, tf.errors.InvalidArgumentError, Diverged) as error:
            reason = diagnose(given)
            if reason is None:
                raise
            raise reason from error
        finally:
            callback.let_go()

    keras.Model.fit = fit


def _our_callback(arguments: dict[str, Any], context: Context) -> FitCallback:
    """The one that belongs to this fit, at the end of its list: the code may have put it anywhere, or nowhere."""
    listed = tree.flatten(arguments["callbacks"] or [])
    others = [callback for callback in listed if not isinstance(callback, FitCallback)]
    if not any(isinstance(callback, keras.callbacks.History) for callback in others):
        # Keras's own would come behind ours, which could not keep an epoch that it has not seen.
        others.append(keras.callbacks.History())
    (ours,) = [callback for callback in listed if isinstance(callback, FitCallback)][:1] or context.callbacks()
    ours.others = others
    arguments["callbacks"] = [*others, ours]
    return ours


def _arrange(arguments: dict[str, Any], context: Context, callback: FitCallback, *, quiet: bool) -> None:
    """The exact order of the data, a log that can be read, and what our callback is to know of the data."""
    if quiet and arguments["verbose"] == "auto":
        arguments["verbose"] = 2
    # Inside of another fit or loop the order of the data follows that one.
    if context.training.owner is None and _is_plain_arrays(arguments):
        _order(arguments, context)
    if isinstance(arguments["x"], tf.data.Dataset):
        # It says by itself in which order its batches come; Keras would warn that it cannot shuffle it.
        arguments["shuffle"] = False
    callback.steps_are_asked = arguments["steps_per_epoch"] is not None
    callback.batch_spec = _batch_spec(arguments)
    known = dict(arguments)
    if isinstance(arguments["x"], types.GeneratorType) and context.training.resume is not None:
        known["x"] = building.Peeked(arguments["x"])
        arguments["x"] = known["x"].whole()
    callback.first_batch = lambda: building.batch_of(known)


def _order(arguments: dict[str, Any], context: Context) -> None:
    """Keras shuffles arrays by a counter of its own, which a second attempt cannot set: batches in our order."""
    parts = tuple(arguments[name] for name in ("x", "y", "sample_weight"))
    if arguments["validation_split"]:
        if arguments["validation_data"] is None:
            at = _learnt(parts, arguments["validation_split"])
            arguments["validation_data"] = _sliced(parts, slice(at, None))
            parts = _sliced(parts, slice(at))
        arguments["validation_split"] = 0.0
    batch_size = arguments["batch_size"] or 32
    arguments["x"] = context.data.ordered_arrays(_given(*parts), batch_size)
    # What judges comes in batches of the same size, unless it has its own.
    arguments["validation_batch_size"] = arguments["validation_batch_size"] or arguments["batch_size"]
    arguments["y"] = arguments["sample_weight"] = arguments["batch_size"] = None


def _learnt(parts: Any, validation_split: float) -> int:
    """How many examples are not held out by a share of them, as Keras rounds it; its own slicing makes tensors of
    texts."""
    return math.floor(len(_flat(parts)[0]) * (1 - validation_split))


def _sliced(parts: Any, rows: slice) -> Any:
    return tree.map_structure(lambda part: None if part is None else part[rows], parts)


def _flat(parts: Any) -> list[Any]:
    return [part for part in tree.flatten(parts) if part is not None]


def _batch_spec(arguments: dict[str, Any]) -> Any:
    """Shapes and types of a batch, without reading one; None where only reading would tell."""
    x = arguments["x"]
    if isinstance(x, tf.data.Dataset):
        return x.element_spec
    given = _given(x, arguments["y"], arguments["sample_weight"])
    return tree.map_structure(_spec, given) if all(map(_are_arrays, given)) else None


def _given(x: Any, y: Any, sample_weight: Any) -> tuple[Any, ...]:
    """What Keras takes apart in a step; a model with a step of its own may need no y. Of a list tf.data would make one
    tensor."""
    given: tuple[Any, ...] = tree.lists_to_tuples(tuple(part for part in (x, y, sample_weight) if part is not None))
    return given


def _is_plain_arrays(arguments: dict[str, Any]) -> bool:
    given = _given(arguments["x"], arguments["y"], arguments["sample_weight"])
    return (
        bool(given)
        and all(map(_are_arrays, given))
        and len({len(part) for part in tree.flatten(given)}) == 1
        and arguments["shuffle"] is True
        and (arguments["y"] is not None or arguments["sample_weight"] is None)
        and arguments["steps_per_epoch"] is None
        and _splits(given, arguments)
    )


def _splits(given: Any, arguments: dict[str, Any]) -> bool:
    """Whether both sides of `validation_split` have examples; else Keras says that it can't be."""
    share = arguments["validation_split"] or 0
    return not share or arguments["validation_data"] is not None or 0 < _learnt(given, share) < len(_flat(given)[0])


def _spec(rows: Any) -> Any:
    return tf.TensorSpec((None, *rows.shape[1:]), tf.string if rows.dtype.kind in "OSU" else rows.dtype)


def _are_arrays(given: Any) -> bool:
    """One, or a dict, list or tuple of them."""
    parts = tree.flatten(given)
    return bool(parts) and all(isinstance(part, np.ndarray) and part.ndim for part in parts)
