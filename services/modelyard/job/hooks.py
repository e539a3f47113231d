"""Inside a job every Keras `fit` reports, checkpoints and goes on after a crash, whatever the script says."""

import functools
import inspect
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from modelyard.job.errors import Diverged
from modelyard.job.fitting import Fit, check_labels, diagnose
from modelyard.job.session import Context
from modelyard.job.training import FitCallback


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
        try:
            _arrange(bound.arguments, context, quiet=quiet)
            return plain(*bound.args, **bound.kwargs)
        except (ValueError, TypeError, tf.errors.InvalidArgumentError, Diverged) as error:
            reason = diagnose(given)
            if reason is None:
                raise
            raise reason from error

    keras.Model.fit = fit


def _arrange(arguments: dict[str, Any], context: Context, *, quiet: bool) -> None:
    """Our callback, the exact order of the data, and a log that can be read."""
    callbacks = arguments["callbacks"] or []
    listed = list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]
    if not any(isinstance(callback, FitCallback) for callback in listed):
        listed += context.callbacks()
    arguments["callbacks"] = listed
    if quiet and arguments["verbose"] == "auto":
        arguments["verbose"] = 2
    if _is_plain_arrays(arguments):
        # Keras shuffles arrays by a counter of its own, which a second attempt cannot set.
        batch_size = arguments["batch_size"] or 32
        arguments["x"] = context.data.ordered_arrays(_given(arguments), batch_size)
        # What judges comes in batches of the same size, unless it has its own.
        arguments["validation_batch_size"] = arguments["validation_batch_size"] or arguments["batch_size"]
        arguments["y"] = arguments["batch_size"] = None
    if isinstance(arguments["x"], tf.data.Dataset):
        # It says by itself in which order its batches come; Keras would warn that it cannot shuffle it.
        arguments["shuffle"] = False
    for callback in listed:
        if isinstance(callback, FitCallback):
            callback.batch_spec = _batch_spec(arguments["x"], arguments["y"])


def _batch_spec(x: Any, y: Any) -> Any:
    """Shapes and types of a batch, without reading one; None where only reading would tell."""
    if isinstance(x, tf.data.Dataset):
        return x.element_spec
    if _are_arrays(x) and _are_arrays(y):
        return keras.tree.map_structure(_spec, (x, y))
    return None


def _given(arguments: dict[str, Any]) -> tuple[Any, ...]:
    """What Keras takes apart in a step; a model with a step of its own may need no y."""
    return (arguments["x"],) if arguments["y"] is None else (arguments["x"], arguments["y"])


def _is_plain_arrays(arguments: dict[str, Any]) -> bool:
    given = _given(arguments)
    return (
        all(map(_are_arrays, given))
        and len({len(part) for part in keras.tree.flatten(given)}) == 1
        and arguments["shuffle"] is True
        and arguments["sample_weight"] is None
        and not arguments["validation_split"]
        and arguments["steps_per_epoch"] is None
    )


def _spec(rows: Any) -> Any:
    return tf.TensorSpec((None, *rows.shape[1:]), tf.string if rows.dtype.kind in "OSU" else rows.dtype)


def _are_arrays(given: Any) -> bool:
    """One, or a dict or tuple of them; tf.data would make one tensor of a list."""
    parts = keras.tree.flatten(given)
    plain = all(isinstance(part, np.ndarray) and part.ndim for part in parts)
    return bool(parts) and plain and not isinstance(given, list)
