"""The functions that a SavedModel answers with, made of a Keras model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import tree
from numpy.typing import NDArray

from modelyard.job import images
from modelyard.job.errors import ExportInvalid
from modelyard.job.fed import Prepare, random_examples
from modelyard.job.known import Arrays, Known, fitted

DEFAULT = "serving_default"
SUM_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Signature:
    """One function of the served model and real inputs for it."""

    call: Callable[..., Any]
    specs: Mapping[str, Any]
    """Input name -> tf.TensorSpec, in the order of the call."""
    examples: Arrays


@dataclass(frozen=True, slots=True)
class Served:
    """All that a model version answers with."""

    signatures: Mapping[str, Signature]
    task: str = ""
    classes: Sequence[str] = ()
    labels: NDArray[np.int64] | None = None
    """The truth about the examples."""
    synthetic: bool = False
    """The examples are made up: no real ones were known."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """What each input is: `image`, `text`, `number`, `category`, `audio`, `video`, `user`, …"""
    about: Mapping[str, Any] = field(default_factory=dict)
    """More for the model's description."""


def classifier(
    model: Any,
    prepare: Prepare,
    shape: images.Shape,
    classes: Sequence[str],
    shown: tuple[NDArray[np.uint8], NDArray[np.int64]],
) -> Served | None:
    """For a model that answers pictures with a number a class: `serving_default` takes them as they are stored,
    `encoded` as PNG, JPEG, WebP, GIF or BMP. None where it answers something else. Raises ExportInvalid."""
    pictures, truth = shown
    try:
        answers = model(prepare(pictures), training=False)
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise ExportInvalid(f"the model does not take images of {shape} as uint8: {error}") from error
    if not hasattr(answers, "shape") or tuple(answers.shape) != (len(pictures), len(classes)):
        return None
    values = np.asarray(answers)
    if not np.isfinite(values).all():
        raise ExportInvalid("the model answers held-out images with numbers that are not finite")
    logits = from_logits(model)
    output = "probabilities" if logits or sum_to_one(values) else "scores"
    labels = tf.constant(list(classes))

    def answer(image: Any) -> Any:
        given = model(prepare(image), training=False)
        return tf.nn.softmax(given) if logits else given

    def serving_default(image: Any) -> dict[str, Any]:
        return {output: answer(image)}

    def encoded(image_bytes: Any) -> dict[str, Any]:
        given = answer(images.decode_batch(image_bytes, shape))
        return {output: given, "label": tf.gather(labels, tf.argmax(given, axis=-1))}

    png = np.array([tf.io.encode_png(picture).numpy() for picture in pictures])
    return Served(
        {
            DEFAULT: Signature(
                serving_default, {"image": tf.TensorSpec((None, *shape), tf.uint8, "image")}, {"image": pictures}
            ),
            "encoded": Signature(
                encoded, {"image_bytes": tf.TensorSpec((None,), tf.string, "image_bytes")}, {"image_bytes": png}
            ),
        },
        task="image-classification",
        classes=classes,
        labels=truth,
        inputs={"image": "image", "image_bytes": "image"},
        about={"image_shape": list(shape)},
    )


def sum_to_one(values: NDArray[Any]) -> bool:
    """Whether each row is a probability for each class."""
    return bool((np.abs(values.sum(-1) - 1) <= SUM_TOLERANCE).all() and (values >= 0).all())


def from_logits(model: Any) -> bool:
    """Whether the model was trained with a loss that takes logits, so that its answers are no probabilities yet."""
    loss = getattr(model, "loss", None)
    return getattr(loss, "from_logits", None) is True or getattr(loss, "_fn_kwargs", {}).get("from_logits") is True


def whole_model(model: Any, examples: Any, seed: int) -> Served:
    """`serving_default` with the model's own inputs and outputs, however many; raises ExportInvalid."""
    structure = _taken(model)
    if structure is None:
        structure = examples
    if structure is None:
        raise ExportInvalid(
            f"model {model.name!r} does not say what it takes: give it an Input layer, fit it, or say "
            "context.export(model, signature={'x': tf.TensorSpec((None, 10), tf.float32)})"
        )
    names = _names(structure)
    specs = {
        name: tf.TensorSpec((None, *leaf.shape[1:]), leaf.dtype, name)
        for name, leaf in zip(names, tree.flatten(structure), strict=True)
    }
    return _of_specs(model, specs, structure, _matching(examples, specs), seed)


def whole_model_of(model: Any, known: Known) -> Served | None:
    """The same where every input is named like a feature of the dataset and takes its values: with real examples and
    the truth about them; None elsewhere."""
    structure = _taken(model)
    if structure is None:
        return None
    leaves = dict(zip(_names(structure), tree.flatten(structure), strict=True))
    specs = {name: tf.TensorSpec((None, *leaf.shape[1:]), leaf.dtype, name) for name, leaf in leaves.items()}
    rows = known.rows(specs)
    found = known.inputs(specs, rows)
    if set(found) != set(specs):
        return None
    return replace(_of_specs(model, specs, structure, found, 0), labels=known.labels(rows))


def _taken(model: Any) -> Any:
    """The model's own inputs in their structure; None where it does not say."""
    structure = getattr(model, "_inputs_struct", None)
    if structure is None and getattr(model, "inputs", None):
        structure = model.inputs if len(model.inputs) > 1 else model.inputs[0]
    return structure


def with_specs(model: Any, specs: Mapping[str, Any], examples: Any, seed: int) -> Served:
    """`serving_default` with inputs that the code names; several go to the model as a dict unless it has a list."""
    named = {name: tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in specs.items()}
    taken = getattr(model, "_inputs_struct", None)
    if isinstance(taken, (list, tuple)) and len(taken) == len(named):
        return _of_specs(model, named, list(named.values()), _matching(examples, named), seed)
    # A dict's leaves come in the order of its keys.
    named = dict(sorted(named.items()))
    structure = _structure(named)
    return _of_specs(model, named, structure, _matching(examples, named), seed)


def of_functions(functions: Mapping[str, Any], examples: Any, known: Known | None, seed: int) -> Served:
    """Each tf.function is a signature; what `examples` leave out is taken from the dataset, by the inputs' names.
    Raises ExportInvalid for one without an input_signature."""
    specs = {name: _specs_of(name, function) for name, function in functions.items()}
    rows = known.rows({key: spec for each in specs.values() for key, spec in each.items()}) if known else None
    signatures, synthetic, labels = {}, False, None
    for name, function in functions.items():
        given = _given(examples.get(name, examples) if isinstance(examples, Mapping) else examples, specs[name])
        if known is not None and rows is not None and not any(array.ndim for array in given.values()):
            real = known.inputs(specs[name], rows)
            labels = known.labels(rows) if real else labels
            given = {**real, **given}
        missing = {key: spec for key, spec in specs[name].items() if key not in given}
        synthetic = synthetic or any(spec.shape.rank != 0 for spec in missing.values())
        made = random_examples(missing, seed)
        lengths = {len(array) for array in given.values() if array.ndim}
        if len(lengths) == 1:
            made = {key: _as_many(array, min(lengths)) for key, array in made.items()}
        arrays = {key: given[key] if key in given else made[key] for key in specs[name]}
        signatures[name] = Signature(_named_outputs(function), specs[name], arrays)
    return Served(signatures, synthetic=synthetic, labels=labels)


def _specs_of(name: str, function: Any) -> dict[str, Any]:
    wanted = getattr(function, "input_signature", None)
    if not wanted:
        raise ExportInvalid(
            f"signature {name!r} is no tf.function with an input_signature: write "
            "@tf.function(input_signature=[tf.TensorSpec(…)]) above it"
        )
    # A name that the spec has counts more than that of the function's argument.
    arguments = zip(function.function_spec.arg_names, wanted, strict=False)
    named = {spec.name or argument: spec for argument, spec in arguments}
    return {name: tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in named.items()}


def _given(examples: Any, specs: Mapping[str, Any]) -> Arrays:
    """The examples of the code's own, by input: all of them, or those that it names."""
    whole = _matching(examples, specs)
    if whole is not None:
        return whole
    if not isinstance(examples, Mapping):
        return {}
    found = {name: fitted(examples[name], spec) for name, spec in specs.items() if name in examples}
    return {name: array for name, array in found.items() if array is not None}


def _as_many(array: NDArray[Any], count: int) -> NDArray[Any]:
    return np.resize(array, (count, *array.shape[1:])) if array.ndim else array


def _of_specs(model: Any, specs: Mapping[str, Any], structure: Any, arrays: Arrays | None, seed: int) -> Served:
    def call(*inputs: Any) -> Any:
        return model(tree.pack_sequence_as(structure, list(inputs)), training=False)

    answer = _named_outputs(call, getattr(model, "output_names", None))
    examples = arrays or random_examples(specs, seed)
    return Served({DEFAULT: Signature(answer, specs, examples)}, synthetic=arrays is None)


def _structure(specs: Mapping[str, Any]) -> Any:
    return dict(specs) if len(specs) > 1 else next(iter(specs.values()))


def _names(structure: Any) -> list[str]:
    """A dict's keys, else the tensors' own names, else input_1, input_2, …"""
    if isinstance(structure, Mapping):
        return sorted(map(str, structure))
    leaves = tree.flatten(structure)
    names = [str(getattr(leaf, "name", "") or "").partition(":")[0] for leaf in leaves]
    if all(names) and len(set(names)) == len(names):
        return names
    return ["input"] if len(leaves) == 1 else [f"input_{number}" for number in range(1, len(leaves) + 1)]


def _named_outputs(function: Callable[..., Any], names: Sequence[str] | None = None) -> Callable[..., Any]:
    """`function` with a dict for an answer; a signature's outputs have names."""

    def named(*inputs: Any) -> dict[str, Any]:
        answer = function(*inputs)
        if isinstance(answer, Mapping):
            return {str(key): value for key, value in answer.items()}
        leaves = tree.flatten(answer)
        if names is not None and len(names) == len(leaves) and len(set(names)) == len(leaves):
            return dict(zip(names, leaves, strict=True))
        keys = ["output"] if len(leaves) == 1 else [f"output_{number}" for number in range(1, len(leaves) + 1)]
        return dict(zip(keys, leaves, strict=True))

    return named


def _matching(examples: Any, specs: Mapping[str, Any]) -> Arrays | None:
    """The examples by input name, where they have the inputs' form."""
    if examples is None:
        return None
    if isinstance(examples, Mapping) and set(examples) == set(specs):
        leaves = [examples[name] for name in specs]
    else:
        leaves = tree.flatten(examples)
    if len(leaves) != len(specs):
        return None
    arrays = {}
    for (name, spec), leaf in zip(specs.items(), leaves, strict=True):
        array = fitted(leaf, spec)
        if array is None:
            return None
        arrays[name] = array
    return arrays


def is_functions(signature: Any) -> bool:
    """Whether `signature=` gives functions, and not the forms of inputs."""
    values = list(signature.values()) if isinstance(signature, Mapping) else [signature]
    return bool(values) and all(callable(value) and not isinstance(value, keras.KerasTensor) for value in values)
