"""Why a `fit` on several inputs by name, as tables have them, cannot work; see `fitting`."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from modelyard.job.errors import InputsUnfit, LabelsUnfit

_SHOWN = 6
_LOOKED_AT = 64
"""Batches that are searched for missing values."""


def wrong_names(model: Any, x: Any) -> InputsUnfit | None:
    """What the examples have by name against what the model takes; None where nothing is seen, or neither has names."""
    given, taken = _given(x), _taken(model)
    if given is None:
        if len(taken) < 2 or _is_many(x):
            return None
        return InputsUnfit(
            f"the model takes {len(taken)} inputs ({_listed(taken)}) and the examples are one array: give a dict "
            f"with an array for each, {{{next(iter(taken))!r}: …}}"
        )
    if len(taken) == 1 and not set(taken) & set(given):
        shape = next(iter(taken.values())).shape[1:]
        return InputsUnfit(
            f"the examples are {len(given)} columns by name ({_listed(given)}) and the model takes one array of "
            f"{tuple(shape)}: give it a keras.Input for each column, of that name, or make one array of them, as in "
            f"dataset.map(lambda row, label: (tf.stack([row[{next(iter(given))!r}], …], axis=-1), label))"
        )
    for name in taken:
        if name not in given:
            near = get_close_matches(name, given, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"they have {_listed(given)}"
            return InputsUnfit(f"the model has an input {name!r} and the examples have no such column; {hint}")
    return next(filter(None, (_wrong_column(name, given[name], taken[name]) for name in taken)), None)


def missing_values(x: Any) -> InputsUnfit | None:
    """Numbers that are missing, where a loss has become NaN."""
    for name, values in _some(x):
        if np.issubdtype(values.dtype, np.floating) and np.isnan(values).any():
            column = f"the column {name!r} has" if name else "the examples have"
            return InputsUnfit(
                f"{column} missing values (NaN), {int(np.isnan(values).sum())} in the {len(values)} examples that were "
                "looked at, and so the loss is no number either: put something in their place, as in "
                "tf.where(tf.math.is_nan(x), 0.0, x)"
            )
    return None


def wrong_targets(x: Any, y: Any, model: Any) -> LabelsUnfit | None:
    """Several targets for a model with one answer."""
    spec = x.element_spec if isinstance(x, tf.data.Dataset) else (x, y)
    labels = spec[1] if isinstance(spec, tuple) and len(spec) > 1 else None
    if not isinstance(labels, Mapping) or len(getattr(model, "outputs", None) or []) != 1:
        return None
    return LabelsUnfit(
        f"the labels are {len(labels)} columns by name ({_listed(labels)}) and the model has one answer: choose one, "
        f"as in context.dataset(…, columns=[…, {next(iter(labels))!r}]), or give the model an output for each"
    )


def _wrong_column(name: str, given: Any, taken: Any) -> InputsUnfit | None:
    is_text = given.dtype == tf.string
    if is_text and taken.dtype != "string":
        return InputsUnfit(
            f"the column {name!r} is text (strings) and the model's input takes {taken.dtype}: make it "
            f"keras.Input((), dtype='string', name={name!r}) with a StringLookup or a TextVectorization behind it"
        )
    if not is_text and taken.dtype == "string":
        return InputsUnfit(
            f"the column {name!r} is of {given.dtype.name} and the model's input takes text: make it "
            f"keras.Input((), name={name!r})"
        )
    shape, wanted = tuple(given.shape[1:]), tuple(taken.shape[1:])
    if (shape, wanted) in (((), (1,)), ((1,), ())) or shape == wanted or len(shape) == len(wanted):
        return None
    return InputsUnfit(
        f"the column {name!r} has the shape {shape} for each example and the model's input takes {wanted}: make it "
        f"keras.Input({shape}, name={name!r})"
    )


def _given(x: Any) -> dict[str, Any] | None:
    """Name -> tf.TensorSpec of a batch; None where the examples have no names."""
    if isinstance(x, tf.data.Dataset):
        spec = x.element_spec
        inputs = spec[0] if isinstance(spec, tuple) else spec
        return dict(inputs) if isinstance(inputs, Mapping) else None
    if not isinstance(x, Mapping):
        return None
    return {name: _spec(values) for name, values in x.items()}


def _spec(values: Any) -> Any:
    array = np.asarray(values)
    return tf.TensorSpec((None, *array.shape[1:]), tf.string if array.dtype.kind in "OSU" else array.dtype)


def _is_many(x: Any) -> bool:
    """Whether the examples are several arrays, though without names."""
    spec = x.element_spec if isinstance(x, tf.data.Dataset) else x
    inputs = spec[0] if isinstance(spec, tuple) and isinstance(x, tf.data.Dataset) else spec
    return len(keras.tree.flatten(inputs)) != 1 or not hasattr(inputs, "shape")


def _taken(model: Any) -> dict[str, Any]:
    """Name -> keras.KerasTensor; empty where the model does not say."""
    structure = getattr(model, "_inputs_struct", None)
    if isinstance(structure, Mapping):
        return dict(structure)
    return {tensor.name: tensor for tensor in getattr(model, "inputs", None) or []}


def _some(x: Any) -> list[tuple[str, Any]]:
    """A few values of each input by its name, "" where it has none."""
    if not isinstance(x, tf.data.Dataset):
        parts = x if isinstance(x, Mapping) else {"": x}
        return [(name, values) for name, values in parts.items() if isinstance(values, np.ndarray)]
    found: dict[str, list[Any]] = {}
    for batch in x.take(_LOOKED_AT):
        inputs = batch[0] if isinstance(batch, tuple) else batch
        for name, values in (inputs if isinstance(inputs, Mapping) else {"": inputs}).items():
            if isinstance(values, tf.Tensor) and values.shape.rank:
                found.setdefault(name, []).append(values.numpy())
    return [(name, np.concatenate(batches)) for name, batches in found.items()]


def _listed(names: Mapping[str, Any]) -> str:
    return ", ".join(list(names)[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
