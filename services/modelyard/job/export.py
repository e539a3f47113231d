"""A model as a model version's tree: SavedModel, description and golden answers.

saved_model.pb  variables/   the signatures
assets/classes.txt           one class a line, where there are classes
modelyard.model.json         task, classes, metrics, signatures
golden.npz                   `{signature}/inputs/{name}` and `{signature}/outputs/{name}` of real examples, and `labels`
assets.extra/tf_serving_warmup_requests
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from modelyard.job import warmup
from modelyard.job.errors import ExportInvalid
from modelyard.job.signatures import Arrays, Served, Signature

GOLDEN_EXAMPLES = 16
GOLDEN_FILE = "golden.npz"
DESCRIPTION_FILE = "modelyard.model.json"
CLASSES_FILE = "classes.txt"
FORMAT = 1
TOLERANCE = 1e-5
"""Between Keras's answers and the loaded SavedModel's: the same kernels may add in another order."""

_UNSAVABLE = (ValueError, TypeError, AssertionError, KeyError, RuntimeError, tf.errors.OpError)


def export(model: Any, target: Path, served: Served, metrics: Mapping[str, float]) -> None:
    """Write the folder `target`, complete or not at all; raises ExportInvalid."""
    expected = {name: _asked(name, signature) for name, signature in served.signatures.items()}
    partial = target.with_name(f".{target.name}")
    for leftover in (partial, target):
        shutil.rmtree(leftover, ignore_errors=True)
    _save(model, partial, served)
    golden = finish(
        partial,
        {name: signature.examples for name, signature in served.signatures.items()},
        metrics,
        task=served.task,
        classes=served.classes,
        labels=served.labels,
        about={**served.about, **({"synthetic_examples": True} if served.synthetic else {})},
    )
    for signature, outputs in expected.items():
        for name, values in outputs.items():
            _compare(f"{signature}: {name}", values, golden[f"{signature}/outputs/{name}"])
    partial.rename(target)


def finish(
    folder: Path,
    asked: Mapping[str, Mapping[str, NDArray[Any]]],
    metrics: Mapping[str, float],
    *,
    task: str = "",
    classes: Sequence[str] = (),
    labels: NDArray[np.int64] | None = None,
    about: Mapping[str, Any] | None = None,
) -> Arrays:
    """Make a model version's tree of a SavedModel: load it, ask it `asked` (signature -> input -> rows), and write
    down what it answers. Answers the golden arrays; raises ExportInvalid."""
    loaded = tf.saved_model.load(str(folder))
    golden: Arrays = {}
    for name, inputs in asked.items():
        golden |= {f"{name}/inputs/{key}": _plain(np.asarray(value)) for key, value in inputs.items()}
        golden |= {f"{name}/outputs/{key}": value for key, value in _answers(loaded, name, inputs).items()}
    if labels is not None:
        golden["labels"] = labels
    with (folder / GOLDEN_FILE).open("wb") as out:
        np.savez(out, allow_pickle=False, **golden)
    description = {
        "format": FORMAT,
        "task": task,
        **({"classes": list(classes)} if classes else {}),
        **(about or {}),
        "metrics": {name: float(value) for name, value in metrics.items()},
        "signatures": {name: _tensors(loaded.signatures[name]) for name in asked},
        "golden": GOLDEN_FILE,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }
    (folder / DESCRIPTION_FILE).write_text(json.dumps(description, indent=1, ensure_ascii=False))
    warmup.write(folder, {name: {key: value[:1] for key, value in inputs.items()} for name, inputs in asked.items()})
    return golden


def _asked(name: str, signature: Signature) -> Arrays:
    """What the model answers before it is saved."""
    try:
        answers = signature.call(*(tf.constant(signature.examples[key]) for key in signature.specs))
        return {key: _plain(np.asarray(value)) for key, value in answers.items()}
    except _UNSAVABLE as error:
        raise ExportInvalid(f"the model does not answer by signature {name!r}: {_first_line(error)}") from error


def _save(model: Any, folder: Path, served: Served) -> None:
    folder.mkdir(parents=True)
    archive = keras.export.ExportArchive()
    archive.track(model)
    names = folder.with_name(f"{folder.name}.classes") / CLASSES_FILE
    try:
        for name, signature in served.signatures.items():
            archive.add_endpoint(name, signature.call, list(signature.specs.values()))
        if served.classes:
            names.parent.mkdir(exist_ok=True)
            names.write_text("".join(f"{each}\n" for each in served.classes))
            # The graph has the names as a constant, so that serving reads no file; the asset is for people.
            archive._tf_trackable.classes = tf.saved_model.Asset(str(names))
        archive.write_out(str(folder), verbose=False)
    except _UNSAVABLE as error:
        raise ExportInvalid(f"TensorFlow cannot save the model: {_first_line(error)}") from error
    finally:
        shutil.rmtree(names.parent, ignore_errors=True)


def _answers(loaded: Any, signature: str, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
    try:
        outputs = loaded.signatures[signature](**{name: tf.constant(value) for name, value in inputs.items()})
        return {name: _plain(value.numpy()) for name, value in outputs.items()}
    except (*_UNSAVABLE, AttributeError) as error:
        raise ExportInvalid(
            f"the saved model's signature {signature!r} does not answer: {_first_line(error)}"
        ) from error


def _compare(what: str, expected: NDArray[Any], answered: NDArray[Any]) -> None:
    if expected.dtype.kind != "f":
        same = np.array_equal(expected, answered)
        worst = 0.0 if same else float("inf")
    elif expected.shape != answered.shape:
        worst = float("inf")
    else:
        scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
        worst = float(np.abs(answered.astype(np.float64) - expected).max(initial=0.0)) / scale
    if not worst <= TOLERANCE:
        raise ExportInvalid(
            f"{what}: the saved model's answers differ from the trained model's by up to {worst:.2g}; does it draw "
            "random numbers, or depend on something that is not saved with it?"
        )


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Strings as fixed-width bytes: an npz without pickles."""
    return values.astype(np.bytes_) if values.dtype == object else values


def _tensors(function: Any) -> dict[str, Any]:
    """A signature's inputs and outputs as the description has them."""
    return {
        "inputs": _forms(function.structured_input_signature[1]),
        "outputs": _forms(function.structured_outputs),
    }


def _forms(specs: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {
            "dtype": spec.dtype.name,
            "shape": None if spec.shape.rank is None else [-1 if size is None else size for size in spec.shape],
        }
        for name, spec in specs.items()
    }


def _first_line(error: BaseException) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
