"""A trained classifier as a model version's tree: SavedModel, class names, description and golden answers.

saved_model.pb  variables/   signatures serving_default and encoded
assets/classes.txt           one class a line
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

from modelyard.job import images, warmup
from modelyard.job.errors import ExportInvalid

GOLDEN_EXAMPLES = 16
GOLDEN_FILE = "golden.npz"
DESCRIPTION_FILE = "modelyard.model.json"
FORMAT = 1
TOLERANCE = 1e-5
"""Between Keras's answers and the loaded SavedModel's: the same kernels may add in another order."""

Golden = dict[str, NDArray[Any]]


def export_classifier(
    model: Any,
    target: Path,
    shape: images.Shape,
    classes: Sequence[str],
    shown: tuple[NDArray[np.uint8], NDArray[np.int64]],
    metrics: Mapping[str, float],
) -> None:
    """Write the folder `target`, complete or not at all.

    `model` maps uint8 [n, *shape] to probabilities float32 [n, len(classes)]; `shown` are images and labels whose
    answers stay with the version. Raises ExportInvalid.
    """
    pictures, labels = shown
    try:
        expected = np.asarray(model(pictures, training=False))
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise ExportInvalid(f"the model does not take images of {shape} as uint8: {error}") from error
    if expected.shape != (len(pictures), len(classes)) or not np.isfinite(expected).all():
        raise ExportInvalid(
            f"the model answers {expected.shape} for {len(pictures)} images; with {len(classes)} classes it must be "
            f"{(len(pictures), len(classes))} finite probabilities",
        )
    partial = target.with_name(f".{target.name}")
    for leftover in (partial, target):
        shutil.rmtree(leftover, ignore_errors=True)
    _save(model, partial, shape, classes)
    golden = _answers(partial, pictures)
    golden["labels"] = labels
    worst = float(np.abs(golden["serving_default/outputs/probabilities"] - expected).max())
    if worst > TOLERANCE:
        raise ExportInvalid(f"the saved model's answers differ from the trained model's by up to {worst:.2g}")
    with (partial / GOLDEN_FILE).open("wb") as out:
        np.savez(out, allow_pickle=False, **golden)
    description = {
        "format": FORMAT,
        "task": "image-classification",
        "classes": list(classes),
        "image_shape": list(shape),
        "metrics": {name: float(value) for name, value in metrics.items()},
        "signatures": _signatures(shape, len(classes)),
        "golden": GOLDEN_FILE,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }
    (partial / DESCRIPTION_FILE).write_text(json.dumps(description, indent=1, ensure_ascii=False))
    warmup.write(partial, {"serving_default": {"image": pictures[:1]}, "encoded": {"image_bytes": _png(pictures[:1])}})
    partial.rename(target)


def _save(model: Any, folder: Path, shape: images.Shape, classes: Sequence[str]) -> None:
    folder.mkdir(parents=True)
    names = folder.with_name(f"{folder.name}.classes") / "classes.txt"
    names.parent.mkdir(exist_ok=True)
    names.write_text("".join(f"{name}\n" for name in classes))
    archive = keras.export.ExportArchive()
    archive.track(model)
    labels = tf.constant(list(classes))

    def serving_default(image: Any) -> dict[str, Any]:
        return {"probabilities": model(image, training=False)}

    def encoded(image_bytes: Any) -> dict[str, Any]:
        probabilities = model(images.decode_batch(image_bytes, shape), training=False)
        return {"probabilities": probabilities, "label": tf.gather(labels, tf.argmax(probabilities, axis=-1))}

    archive.add_endpoint("serving_default", serving_default, [tf.TensorSpec((None, *shape), tf.uint8, "image")])
    archive.add_endpoint("encoded", encoded, [tf.TensorSpec((None,), tf.string, "image_bytes")])
    # The graph has the names as a constant, so that serving reads no file; the asset is for people and clients.
    archive._tf_trackable.classes = tf.saved_model.Asset(str(names))
    try:
        archive.write_out(str(folder), verbose=False)
    except (ValueError, TypeError, AssertionError, tf.errors.OpError) as error:
        raise ExportInvalid(f"TensorFlow cannot save the model: {error}") from error
    finally:
        shutil.rmtree(names.parent)


def _png(pictures: NDArray[np.uint8]) -> NDArray[np.bytes_]:
    return np.array([tf.io.encode_png(picture).numpy() for picture in pictures])


def _answers(folder: Path, pictures: NDArray[np.uint8]) -> Golden:
    """Load what was saved and ask it: these are the answers that every later load must give."""
    loaded = tf.saved_model.load(str(folder))
    asked: dict[str, Golden] = {"serving_default": {"image": pictures}, "encoded": {"image_bytes": _png(pictures)}}
    golden: Golden = {}
    for signature, inputs in asked.items():
        try:
            outputs = loaded.signatures[signature](**{name: tf.constant(value) for name, value in inputs.items()})
        except (KeyError, tf.errors.OpError) as error:
            raise ExportInvalid(f"the saved model's signature {signature!r} does not answer: {error}") from error
        golden |= {f"{signature}/inputs/{name}": value for name, value in inputs.items()}
        golden |= {f"{signature}/outputs/{name}": _plain(value.numpy()) for name, value in outputs.items()}
    return golden


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Strings as fixed-width bytes: an npz without pickles."""
    return values.astype(np.bytes_) if values.dtype == object else values


def _signatures(shape: images.Shape, classes: int) -> dict[str, Any]:
    probabilities = {"dtype": "float32", "shape": [-1, classes]}
    return {
        "serving_default": {
            "inputs": {"image": {"dtype": "uint8", "shape": [-1, *shape]}},
            "outputs": {"probabilities": probabilities},
        },
        "encoded": {
            "inputs": {"image_bytes": {"dtype": "string", "shape": [-1]}},
            "outputs": {"probabilities": probabilities, "label": {"dtype": "string", "shape": [-1]}},
        },
    }
