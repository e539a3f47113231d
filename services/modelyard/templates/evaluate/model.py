"""A model version that is asked: its signature `serving_default`, what it takes and what it answers.

It must take one batch of images (uint8 as stored, or floats) and answer a number for each class, or one number.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from tensorflow.core.protobuf import saved_model_pb2

from modelyard.job import devices
from modelyard.job.errors import ModelUnsuitable
from modelyard.savedmodel import drawing
from modelyard.savedmodel.names import GRAPH_FILE, loadable

TAG = "serve"
SIGNATURE = "serving_default"
PROBABILITIES = "probabilities"
DESCRIPTION_FILE = "modelyard.model.json"
CLASSES_FILE = Path("assets/classes.txt")
_FRAMES = ("Graph execution error", "Detected at node", "File ", "[[", "Stack trace", "<")
_WANTED = (
    f"A model that can be evaluated has a signature {SIGNATURE!r} that takes one batch of images (uint8 or float "
    "[-1, height, width, channels]) and answers a number for each class, or one number"
)


@dataclass(frozen=True, slots=True)
class Takes:
    """The one input of the signature."""

    name: str
    dtype: Any
    shape: tuple[int | None, ...]
    """Without the batch; None where any size will do."""

    @property
    def side(self) -> int:
        """Height and width to ask the dataset for; 0 = as stored."""
        square = len(self.shape) in (2, 3) and self.shape[0] is not None and self.shape[0] == self.shape[1]
        return self.shape[0] or 0 if square else 0

    def check(self, images: tuple[int, int, int]) -> None:
        """Raises ModelUnsuitable where the dataset's images, asked for with `side`, don't fit."""
        if len(self.shape) == 3:
            fits = all(size in (None, found) for size, found in zip(self.shape, images, strict=True))
        else:
            fits = None not in self.shape and prod(size or 0 for size in self.shape) == prod(images)
        if not fits:
            raise ModelUnsuitable(
                f"the model takes images of {_sizes(self.shape)}; the dataset's are {_sizes(images)}. Only square "
                "images are resized, and channels must be the same"
            )

    def batch(self, images: NDArray[np.uint8], scale: float) -> Any:
        """Images as the model takes them."""
        if len(self.shape) != 3:
            images = images.reshape(len(images), *(size or 0 for size in self.shape))
        values = tf.constant(images)
        return values if self.dtype == tf.uint8 else tf.cast(values, self.dtype) * tf.cast(scale, self.dtype)


class Model:
    """Loaded, and its signature checked; raises ModelUnsuitable."""

    def __init__(self, folder: Path, output: str = "") -> None:
        """`output` names the output to judge, where there are several."""
        saved, graph = _read(folder)
        self.drawn_with = drawing.drawn_with(graph)
        """Its operations that draw random numbers."""
        if drawing.unseeded(graph):
            devices.allow_unseeded()
        try:
            with loadable(folder, saved, graph) as self._place:
                self._loaded = tf.saved_model.load(str(self._place.folder), tags=[*graph.meta_info_def.tags])
        except (OSError, ValueError, KeyError, AttributeError, tf.errors.OpError) as error:
            raise ModelUnsuitable(f"TensorFlow cannot load the model: {_line(error)}") from error
        signatures = self._loaded.signatures
        if SIGNATURE not in signatures:
            raise ModelUnsuitable(
                f"the model has no signature {SIGNATURE!r}; it has {_named(signatures) or 'none'}. {_WANTED}"
            )
        self._ask = signatures[SIGNATURE]
        self.takes = _takes(self._place.own(SIGNATURE, self._ask.structured_input_signature[1]))
        self.output = _output(self._ask.structured_outputs, output)
        self.classes = _classes(folder)

    def ask(self, images: NDArray[np.uint8], scale: float) -> NDArray[np.float64]:
        """Values [n, k]; raises ModelUnsuitable where the model fails or answers anything else."""
        batch = self.takes.batch(images, scale)
        try:
            answers = self._ask(**self._place.arguments(SIGNATURE, {self.takes.name: batch}))[self.output].numpy()
        except (ValueError, TypeError, tf.errors.OpError) as error:
            raise ModelUnsuitable(f"the model fails on {len(images)} images: {_line(error)}") from error
        if answers.ndim == 1:
            answers = answers[:, None]
        if answers.ndim != 2 or len(answers) != len(images) or not answers.shape[1]:
            raise ModelUnsuitable(
                f"the model's output {self.output!r} is {_sizes(answers.shape)} for {len(images)} images. {_WANTED}"
            )
        return np.asarray(answers, np.float64)


def _read(folder: Path) -> tuple[Any, Any]:
    """The SavedModel message and the graph in it that is served, or the only one. Raises ModelUnsuitable."""
    try:
        saved = saved_model_pb2.SavedModel.FromString((folder / GRAPH_FILE).read_bytes())
    except OSError as error:
        raise ModelUnsuitable(f"TensorFlow cannot load the model: {GRAPH_FILE}: {error.strerror}") from error
    except DecodeError as error:
        raise ModelUnsuitable(f"TensorFlow cannot load the model: {GRAPH_FILE} is no SavedModel") from error
    tagged = [graph for graph in saved.meta_graphs if [*graph.meta_info_def.tags] == [TAG]]
    if not saved.meta_graphs:
        raise ModelUnsuitable(f"TensorFlow cannot load the model: {GRAPH_FILE} has no graph")
    return saved, (tagged or saved.meta_graphs)[0]


def _takes(inputs: Mapping[str, Any]) -> Takes:
    if len(inputs) != 1:
        raise ModelUnsuitable(f"{SIGNATURE!r} takes {len(inputs)} inputs ({_named(inputs)}). {_WANTED}")
    ((name, spec),) = inputs.items()
    if spec.dtype != tf.uint8 and not spec.dtype.is_floating:
        raise ModelUnsuitable(f"{SIGNATURE!r} takes {name!r} as {spec.dtype.name}. {_WANTED}")
    if spec.shape.rank is None:
        return Takes(name, spec.dtype, (None, None, None))
    if spec.shape.rank < 2 or spec.shape[0] is not None:
        raise ModelUnsuitable(
            f"{SIGNATURE!r} takes {name!r} of shape {_sizes(spec.shape)}: no batch of any size. {_WANTED}"
        )
    return Takes(name, spec.dtype, tuple(spec.shape[1:]))


def _output(outputs: Mapping[str, Any], asked: str) -> str:
    if asked:
        if asked not in outputs:
            raise ModelUnsuitable(f"the model has no output {asked!r}; it has {_named(outputs)}", field="output")
        return asked
    if PROBABILITIES in outputs:
        return PROBABILITIES
    numbers = [name for name, spec in outputs.items() if spec.dtype.is_floating]
    if len(numbers) != 1:
        hint = f"; say which is to be judged with --set output=NAME ({_named(outputs)})" if numbers else ""
        raise ModelUnsuitable(f"{SIGNATURE!r} has {len(numbers)} outputs of floats{hint}. {_WANTED}", field="output")
    return numbers[0]


def _classes(folder: Path) -> tuple[str, ...] | None:
    """The names that came with the model, from its description or its assets."""
    path = folder / DESCRIPTION_FILE
    fields = json.loads(path.read_text()) if path.is_file() else {}
    names = fields.get("classes") if isinstance(fields, dict) else None
    if not names and (folder / CLASSES_FILE).is_file():
        names = (folder / CLASSES_FILE).read_text().splitlines()
    if not names:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ModelUnsuitable(f"{DESCRIPTION_FILE}: classes is no list of names")
    return tuple(names)


def _sizes(shape: Any) -> str:
    return "[" + ", ".join("any" if size is None else str(size) for size in shape) + "]"


def _named(things: Mapping[str, Any]) -> str:
    return ", ".join(sorted(f"{name:.60}" for name in things)[:10])


def _line(error: Exception) -> str:
    """What went wrong, without where in TensorFlow's graph."""
    lines = [line.strip() for line in str(error).splitlines()]
    said = [line for line in lines if line and not line.startswith(_FRAMES)]
    return (said or [type(error).__name__])[0][:300]
