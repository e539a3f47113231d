"""Why a `fit` cannot work: what the model takes and answers against what the data gives.

Keras is asked first, and only when it has refused are the facts compared, so nothing that works is turned away. The one
check that comes before is for labels beyond the last class, which a GPU turns into NaN without a word.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from modelyard.foundation.errors import ModelyardError
from modelyard.job import named_inputs
from modelyard.job.errors import CompiledWrong, InputsUnfit, LabelsUnfit

SPARSE, ONE_HOT, BINARY = "sparse_categorical_crossentropy", "categorical_crossentropy", "binary_crossentropy"
ELEMENTWISE = {
    "mean_squared_error": "mse",
    "mean_absolute_error": "mae",
    "mean_absolute_percentage_error": "mape",
    "mean_squared_logarithmic_error": "msle",
    "huber": "huber",
    "log_cosh": "log_cosh",
    "poisson": "poisson",
    "hinge": "hinge",
}
_CHECKED_BATCHES = 64
Shape = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Fit:
    """One call of `fit`, as far as it can be known without running it."""

    model: Any
    x: Any
    y: Any

    @property
    def specs(self) -> tuple[Any, Any]:
        """tf.TensorSpec of a batch of inputs and of labels; None where there are none, or many."""
        if isinstance(self.x, tf.data.Dataset):
            spec = self.x.element_spec
            parts = spec if isinstance(spec, tuple) else (spec,)
            inputs, labels = (parts[0], parts[1]) if len(parts) > 1 else (parts[0], None)
        else:
            inputs, labels = (_spec(part) for part in (self.x, self.y))
        return tuple(spec if isinstance(spec, tf.TensorSpec) else None for spec in (inputs, labels))  # type: ignore[return-value]

    @property
    def loss(self) -> str:
        """The loss by Keras's name; "" for several, or one of the code's own."""
        loss = self.model.loss if getattr(self.model, "compiled", False) else None
        try:
            loss = keras.losses.get(loss) if isinstance(loss, str) else loss
        except ValueError:
            return ""
        if isinstance(loss, keras.losses.Loss):
            return str(keras.src.utils.naming.to_snake_case(type(loss).__name__))
        return str(getattr(loss, "__name__", "")) if callable(loss) else ""

    @property
    def answers(self) -> Shape | None:
        """The shape of a batch of the model's answers; None where it is not known, or there are several."""
        shape = getattr(self.model, "output_shape", None) if self.model.built else None
        return shape if _is_shape(shape) else None

    @property
    def takes(self) -> Shape | None:
        """The shape of a batch that the model takes."""
        shape = getattr(self.model, "input_shape", None) if self.model.built else None
        return shape if _is_shape(shape) else None


def check_labels(fit: Fit) -> None:
    """Raises LabelsUnfit for class numbers in an array that are beyond the model's last class."""
    if isinstance(fit.y, np.ndarray) and fit.loss == SPARSE and fit.y.dtype.kind in "iu":
        _check_range(fit, *_range(fit, fit.y))


def diagnose(fit: Fit) -> ModelyardError | None:
    """What is wrong with a fit that has failed, if it is one of the things that can be seen."""
    inputs, labels = fit.specs
    weights = getattr(getattr(fit.model, "_compile_loss", None), "_user_loss_weights", None)
    if any(isinstance(weight, str) for weight in keras.tree.flatten(weights)):
        return CompiledWrong(
            f"compile() takes loss weights as its third argument, and got {weights!r}: write metrics={weights!r}"
        )
    if isinstance(fit.x, tf.data.Dataset) and not isinstance(fit.x.element_spec, tuple):
        return LabelsUnfit("the dataset gives examples without labels; fit needs pairs of (example, label)")
    return (
        named_inputs.wrong_names(fit.model, fit.x)
        or (_wrong_input(fit, inputs) if inputs is not None else None)
        or named_inputs.wrong_targets(fit.x, fit.y, fit.model)
        or (_wrong_label(fit, labels) if labels is not None else None)
        or _out_of_range(fit)
        or named_inputs.missing_values(fit.x)
    )


def _wrong_input(fit: Fit, spec: Any) -> InputsUnfit | None:
    if spec.dtype == tf.string:
        if getattr(fit.model, "inputs", None) and fit.model.inputs[0].dtype == "string":
            return None
        return InputsUnfit(
            "the examples are text (strings) and the model takes numbers; turn them into numbers first, as with a "
            "TextVectorization behind keras.Input((), dtype='string')"
        )
    takes, given = fit.takes, spec.shape
    if takes is None or given.rank is None:
        return None
    shape = tuple(given)
    if isinstance(fit.x, tf.data.Dataset) and shape == takes[1:]:
        return InputsUnfit(
            f"the dataset gives single examples of shape {_show(shape)} and fit takes batches: "
            'context.dataset("train", batch_size=32), or .batch(32)'
        )
    if _fits(shape[1:], takes[1:]):
        return None
    return InputsUnfit(
        f"the examples have the shape {_show(shape[1:])} and the model takes {_show(takes[1:])}: change the model's "
        f"first layer to {_show(shape[1:])}, or the data (image_size=… resizes pictures, reshape flattens arrays)"
    )


def _fits(given: Shape, taken: Shape) -> bool:
    """Keras adds and drops a last dimension of 1 by itself."""
    plain = [shape[:-1] if shape and shape[-1] == 1 else shape for shape in (given, taken)]
    if len(plain[0]) != len(plain[1]):
        return False
    return all(a is None or b is None or a == b for a, b in zip(*plain, strict=True))


def _wrong_label(fit: Fit, spec: Any) -> LabelsUnfit | None:
    if spec.dtype == tf.string:
        return LabelsUnfit("the labels are text (strings); a loss compares numbers: give each class a number from 0 on")
    answers, shape = fit.answers, spec.shape
    if answers is None or shape.rank is None:
        return None
    given, loss = tuple(shape), fit.loss
    last = answers[-1]
    numbers = len(given) == len(answers) - 1 or (len(given) == len(answers) and given[-1] == 1)
    if loss == SPARSE and len(given) == len(answers) and given[-1] not in (1, None):
        return LabelsUnfit(
            f"the labels are one-hot (shape {_show(given)}) and the loss {SPARSE!r} takes class numbers: use "
            f"loss={ONE_HOT!r}, or labels.argmax(-1)"
        )
    if loss == ONE_HOT and numbers and last not in (1, None):
        return LabelsUnfit(
            f"the labels are class numbers (shape {_show(given)}) and the loss {ONE_HOT!r} takes one-hot rows of "
            f"{last}: use loss={SPARSE!r}, or keras.utils.to_categorical(labels, {last})"
        )
    if loss == ONE_HOT and len(given) == len(answers) and None not in (given[-1], last) and given[-1] != last:
        return LabelsUnfit(
            f"the labels have {given[-1]} classes and the model answers {last}: make the last layer Dense({given[-1]})"
        )
    if loss == BINARY and not _fits(given[1:], answers[1:]):
        return LabelsUnfit(
            f"the labels have the shape {_show(given)} and the model answers {_show(answers)}; {BINARY!r} compares "
            f"them number by number: make the last layer Dense(1, activation='sigmoid'), or use loss={SPARSE!r} for "
            f"{last} classes"
        )
    if loss in ELEMENTWISE and not _fits(given[1:], answers[1:]):
        return LabelsUnfit(
            f"the labels have the shape {_show(given)} and the model answers {_show(answers)}; the loss "
            f"{ELEMENTWISE[loss]!r} compares them number by number, so both need the same shape"
        )
    return None


def _out_of_range(fit: Fit) -> LabelsUnfit | None:
    if fit.loss != SPARSE:
        return None
    low, high = 0, 0
    if isinstance(fit.x, tf.data.Dataset):
        for batch in fit.x.take(_CHECKED_BATCHES):
            if isinstance(batch, tuple) and len(batch) > 1 and hasattr(batch[1], "dtype"):
                values = batch[1].numpy()
                if (wrong := _no_classes(values)) is not None:
                    return wrong
                if batch[1].dtype.is_integer:
                    least, most = _range(fit, values)
                    low, high = min(low, least), max(high, most)
    elif isinstance(fit.y, np.ndarray) and (wrong := _no_classes(fit.y)) is not None:
        return wrong
    elif isinstance(fit.y, np.ndarray) and fit.y.dtype.kind in "iu":
        low, high = _range(fit, fit.y)
    try:
        _check_range(fit, low, high)
    except LabelsUnfit as error:
        return error
    return None


def _no_classes(labels: Any) -> LabelsUnfit | None:
    """Numbers of a table's column, say, which are no numbers of classes."""
    if labels.dtype.kind != "f" or (labels == np.round(labels)).all():
        return None
    example = float(labels[labels != np.round(labels)][0])
    return LabelsUnfit(
        f"the labels are numbers such as {example:g} and the loss {SPARSE!r} takes class numbers: to learn a number, "
        "make the last layer Dense(1) and use loss='mse'"
    )


def _range(fit: Fit, labels: Any) -> tuple[int, int]:
    """The least and the largest of labels and 0, without those that the loss is told to ignore."""
    ignored = getattr(fit.model.loss, "ignore_class", None)
    counted = labels if ignored is None else labels[labels != ignored]
    return int(counted.min(initial=0)), int(counted.max(initial=0))


def _check_range(fit: Fit, low: int, high: int) -> None:
    classes = fit.answers[-1] if fit.answers else None
    if classes is None:
        return
    if low < 0:
        raise LabelsUnfit(f"there is a label {low}; the loss {SPARSE!r} takes class numbers from 0 to {classes - 1}")
    if high >= classes:
        raise LabelsUnfit(
            f"there is a label {high}, and the model answers {classes} classes (0 to {classes - 1}): make the last "
            f"layer Dense({high + 1}), or let the labels begin at 0"
        )


def _spec(values: Any) -> Any:
    if isinstance(values, np.ndarray):
        dtype = tf.string if values.dtype.kind in "USO" else values.dtype
        return tf.TensorSpec((None, *values.shape[1:]), dtype)
    if isinstance(values, tf.Tensor):
        return tf.TensorSpec((None, *values.shape[1:]), values.dtype)
    return None


def _is_shape(shape: Any) -> bool:
    return isinstance(shape, tuple) and bool(shape) and all(size is None or isinstance(size, int) for size in shape)


def _show(shape: Sequence[int | None]) -> str:
    return f"({', '.join('n' if size is None else str(size) for size in shape)}{',' if len(shape) == 1 else ''})"
