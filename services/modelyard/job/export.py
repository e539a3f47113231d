"""A model as a model version's tree: SavedModel, description and golden answers.

saved_model.pb  variables/   the signatures
assets/classes.txt           one class a line, where there are classes
modelyard.model.json         task, classes, metrics, signatures, and what each input is
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
from modelyard.job.known import Arrays
from modelyard.job.signatures import Served, Signature

GOLDEN_EXAMPLES = 16
GOLDEN_FILE = "golden.npz"
DESCRIPTION_FILE = "modelyard.model.json"
CLASSES_FILE = "classes.txt"
FORMAT = 1
TOLERANCE = 1e-5
"""Between Keras's answers and the loaded SavedModel's: the same kernels may add in another order."""
COARSE = {"float16": 2e-3, "bfloat16": 1e-2, "float8_e4m3fn": 0.13, "float8_e5m2": 0.26}
"""The same of numbers whose neighbours are further away."""
_WIDER = ("bfloat16", "float8")

_UNSAVABLE = (ValueError, TypeError, AssertionError, KeyError, RuntimeError, tf.errors.OpError)


def export(model: Any, target: Path, served: Served, metrics: Mapping[str, float]) -> None:
    """Write the folder `target`, complete or not at all; raises ExportInvalid."""
    _for_every_device(model)
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
        inputs=served.inputs,
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
    inputs: Mapping[str, str] | None = None,
    about: Mapping[str, Any] | None = None,
) -> Arrays:
    """Make a model version's tree of a SavedModel: load it, ask it `asked` (signature -> input -> rows), and write
    down what it answers. Answers the golden arrays; raises ExportInvalid."""
    loaded = tf.saved_model.load(str(folder))
    golden: Arrays = {}
    for name, given in asked.items():
        golden |= {f"{name}/inputs/{key}": storable(np.asarray(value)) for key, value in given.items()}
        golden |= {f"{name}/outputs/{key}": value for key, value in _answers(loaded, name, given).items()}
    if labels is not None:
        golden["labels"] = labels
    with (folder / GOLDEN_FILE).open("wb") as out:
        np.savez(out, allow_pickle=False, **golden)
    description = {
        "format": FORMAT,
        "task": task,
        **({"classes": list(classes)} if classes else {}),
        **({"inputs": dict(inputs)} if inputs else {}),
        **(about or {}),
        "metrics": {name: float(value) for name, value in metrics.items()},
        "signatures": {name: _tensors(loaded.signatures[name]) for name in asked},
        "golden": GOLDEN_FILE,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }
    (folder / DESCRIPTION_FILE).write_text(json.dumps(description, indent=1, ensure_ascii=False))
    warmup.write(folder, {name: _first(given) for name, given in asked.items()})
    return golden


def _first(inputs: Mapping[str, NDArray[Any]]) -> Arrays:
    """One example; what is one value for all of them stays."""
    return {key: np.asarray(value)[:1] if np.ndim(value) else np.asarray(value) for key, value in inputs.items()}


def _for_every_device(model: Any) -> None:
    """What a GPU's own library computes in recurrent layers no processor can, and a model server may have no GPU."""
    held = [model] if isinstance(model, keras.Layer) else getattr(model, "__dict__", {}).values()
    for each in held:
        for layer in each._flatten_layers() if isinstance(each, keras.Layer) else ():
            if hasattr(layer, "use_cudnn"):
                layer.use_cudnn = False


def _asked(name: str, signature: Signature) -> Arrays:
    """What the model answers before it is saved."""
    try:
        answers = signature.call(*(tf.constant(signature.examples[key]) for key in signature.specs))
        return {key: np.asarray(value) for key, value in answers.items()}
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
        return {name: storable(value.numpy()) for name, value in outputs.items()}
    except (*_UNSAVABLE, AttributeError) as error:
        raise ExportInvalid(
            f"the saved model's signature {signature!r} does not answer: {_first_line(error)}"
        ) from error


def _compare(what: str, said: NDArray[Any], answered: NDArray[Any]) -> None:
    expected = storable(said)
    if expected.dtype.kind not in "fc":
        same = np.array_equal(expected, answered)
        worst = 0.0 if same else float("inf")
    elif expected.shape != answered.shape:
        worst = float("inf")
    else:
        scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
        exact = answered.astype(np.complex128 if expected.dtype.kind == "c" else np.float64)
        worst = float(np.abs(exact - expected).max(initial=0.0)) / scale
    if not worst <= COARSE.get(str(said.dtype), TOLERANCE):
        raise ExportInvalid(
            f"{what}: the saved model's answers differ from the trained model's by up to {worst:.2g}; does it draw "
            "random numbers, or depend on something that is not saved with it?"
        )


def storable(values: NDArray[Any]) -> NDArray[Any]:
    """As golden.npz has them, which is read without TensorFlow and without pickles: strings as fixed-width bytes,
    floats that NumPy does not have as float32."""
    if values.dtype == object:
        return values.astype(np.bytes_)
    return values.astype(np.float32) if str(values.dtype).startswith(_WIDER) else values


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
