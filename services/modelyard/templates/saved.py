"""A model version's SavedModel that a template asks: its signatures with whatever inputs and outputs they have."""

import json
from collections.abc import Mapping
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
from modelyard.templates.fitting import Input

TAG = "serve"
DESCRIPTION_FILE = "modelyard.model.json"
CLASSES_FILE = Path("assets/classes.txt")
_OF_VALUES = (
    tf.errors.InvalidArgumentError,
    tf.errors.OutOfRangeError,
    tf.errors.NotFoundError,
    tf.errors.FailedPreconditionError,
    tf.errors.DataLossError,
)
"""What operations raise for values that they do not like; the rest is the machine's or the model's own fault."""
_FRAMES = ("Graph execution error", "Detected at node", "File ", "[[", "Stack trace", "<")
Shape = tuple[int, ...] | None
"""-1 where any size will do; None where not even the number of dimensions is fixed."""


class InputRefused(ModelUnsuitable):
    """The model fails on these very values; on others it may not."""

    reason = "INPUT_REFUSED"


class Saved:
    """Loaded; raises ModelUnsuitable."""

    def __init__(self, folder: Path) -> None:
        saved, graph = _read(folder)
        self.drawn_with = drawing.drawn_with(graph)
        """Its operations that draw random numbers."""
        self.outputs = {
            signature: {name: _declared(info.tensor_shape) for name, info in definition.outputs.items()}
            for signature, definition in graph.signature_def.items()
        }
        """Signature -> output name -> its shape as the signature declares it."""
        if drawing.unseeded(graph):
            devices.allow_unseeded()
        try:
            with loadable(folder, saved, graph) as self._place:
                self._loaded = tf.saved_model.load(str(self._place.folder), tags=[*graph.meta_info_def.tags])
        except (OSError, ValueError, KeyError, AttributeError, tf.errors.OpError) as error:
            raise ModelUnsuitable(f"TensorFlow cannot load the model: {line(error)}") from error
        self._functions = dict(self._loaded.signatures)
        self.description = _description(folder)
        """What is in modelyard.model.json; {} for a model without."""
        self.classes = _classes(folder, self.description)
        """The names that came with the model; () for none."""

    @property
    def kinds(self) -> dict[str, str]:
        """What an input is, by its name: image, text, number, user, …; of those that the model says it of."""
        kinds = self.description.get("inputs")
        return {str(name): str(kind) for name, kind in kinds.items()} if isinstance(kinds, dict) else {}

    @property
    def signatures(self) -> dict[str, tuple[Input, ...]]:
        """Name -> what it takes."""
        return {name: self._inputs(name) for name in self._functions}

    def _inputs(self, signature: str) -> tuple[Input, ...]:
        specs = self._place.own(signature, self._functions[signature].structured_input_signature[1])
        return tuple(
            Input(
                name,
                spec.dtype.name,
                None if spec.shape.rank is None else tuple(-1 if size is None else size for size in spec.shape),
            )
            for name, spec in specs.items()
        )

    def ask(self, signature: str, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Output name -> answers. Raises InputRefused where the values are at fault, ModelUnsuitable where the form
        is."""
        given = {name: tf.constant(value) for name, value in inputs.items()}
        try:
            outputs = self._functions[signature](**self._place.arguments(signature, given))
            return {name: np.asarray(value) for name, value in outputs.items()}
        except _OF_VALUES as error:
            raise InputRefused(f"the model fails: {line(error)}") from error
        except (tf.errors.ResourceExhaustedError, tf.errors.CancelledError):
            raise
        except (ValueError, TypeError, tf.errors.OpError) as error:
            raise ModelUnsuitable(f"the model fails: {line(error)}") from error


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


def _declared(shape: Any) -> Shape:
    """Of a TensorShapeProto."""
    return None if shape.unknown_rank else tuple(dim.size for dim in shape.dim)


def _description(folder: Path) -> dict[str, Any]:
    path = folder / DESCRIPTION_FILE
    fields = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return fields if isinstance(fields, dict) else {}


def _classes(folder: Path, description: Mapping[str, Any]) -> tuple[str, ...]:
    names = description.get("classes")
    if not names and (folder / CLASSES_FILE).is_file():
        names = (folder / CLASSES_FILE).read_text("utf-8").splitlines()
    if not names:
        return ()
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ModelUnsuitable(f"{DESCRIPTION_FILE}: classes is no list of names")
    return tuple(names)


def line(error: Exception) -> str:
    """What went wrong, without where in TensorFlow's graph."""
    lines = [each.strip() for each in str(error).splitlines()]
    said = [each for each in lines if each and not each.startswith(_FRAMES)]
    return (said or [type(error).__name__])[0][:300]
