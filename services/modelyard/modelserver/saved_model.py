"""Loads a SavedModel folder into a Servable. With `faults` all of the server that calls TensorFlow."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, prediction_log_pb2

from modelyard.foundation.errors import (
    FailedPrecondition,
    InvalidArgument,
    ModelyardError,
    OutOfRange,
    ResourceExhausted,
    Unimplemented,
)
from modelyard.modelserver import media
from modelyard.modelserver.errors import CannotServe, ModelFailed
from modelyard.modelserver.faults import find_fault, first_line
from modelyard.modelserver.servable import Array, Arrays, Servable, Signature, TensorSpec
from modelyard.savedmodel.names import Loadable, loadable

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
MAX_WARMUP_RECORDS = 1000
_FROM_TENSORFLOW: dict[int, type[ModelyardError]] = {
    3: InvalidArgument,
    8: ResourceExhausted,
    9: FailedPrecondition,
    11: OutOfRange,
    12: Unimplemented,
}


def configure(intra_op: int, inter_op: int, gpu_memory_fraction: float) -> None:
    """Threads and GPU memory; before anything else uses TensorFlow."""
    tf.config.threading.set_intra_op_parallelism_threads(intra_op)
    tf.config.threading.set_inter_op_parallelism_threads(inter_op)
    for gpu in tf.config.list_physical_devices("GPU"):
        if gpu_memory_fraction:
            total_mb = tf.config.experimental.get_device_details(gpu).get("memory_limit", 0) >> 20
            limit = tf.config.LogicalDeviceConfiguration(memory_limit=int(total_mb * gpu_memory_fraction))
            tf.config.set_logical_device_configuration(gpu, [limit])
        else:
            tf.config.experimental.set_memory_growth(gpu, True)


def load(name: str, version: int, folder: Path, tags: str = "serve", warmup: bool = True) -> Servable:
    """Raises CannotServe for what is not a SavedModel with these tags and signatures."""
    wanted_tags = [tag for tag in tags.split(",") if tag]
    saved_model, meta_graph = _read(folder, wanted_tags)
    try:
        with loadable(folder, saved_model, meta_graph) as place:
            loaded = tf.saved_model.load(os.fspath(place.folder), tags=wanted_tags)
    except (tf.errors.OpError, ValueError, KeyError, OSError) as error:
        raise CannotServe(f"{folder} cannot be loaded: {first_line(error)}") from error
    definitions = {key: value for key, value in meta_graph.signature_def.items() if not key.startswith("__")}
    if not definitions:
        raise CannotServe(f"{folder} has no signature; export with signatures={{'serving_default': …}}")
    meanings = media.meanings(folder)
    signatures = {
        key: _signature(key, definition, loaded, place, meanings)
        for key, definition in definitions.items()
        if key in loaded.signatures
    }
    return Servable(
        name=name,
        version=version,
        signatures=signatures,
        signature_def_map=get_model_metadata_pb2.SignatureDefMap(signature_def=definitions).SerializeToString(),
        warmup=_warmup_requests(folder) if warmup else (),
        pads=bool(tf.config.list_physical_devices("GPU")) or _compiles(meta_graph),
    )


def _read(folder: Path, tags: list[str]) -> tuple[Any, Any]:
    """The SavedModel message and its graph with these tags."""
    path = folder / "saved_model.pb"
    if not path.is_file():
        raise CannotServe(f"{folder} is not a SavedModel: it has no saved_model.pb")
    try:
        saved_model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    except Exception as error:
        raise CannotServe(f"{path} is not a SavedModel: {first_line(error)}") from error
    for meta_graph in saved_model.meta_graphs:
        if sorted(meta_graph.meta_info_def.tags) == sorted(tags):
            return saved_model, meta_graph
    have = ", ".join("{" + ",".join(graph.meta_info_def.tags) + "}" for graph in saved_model.meta_graphs) or "none"
    raise CannotServe(f"{path} has no graph with the tags {{{','.join(tags)}}}; it has {have}")


def _compiles(meta_graph: Any) -> bool:
    return any(function.attr["_XlaMustCompile"].b for function in meta_graph.graph_def.library.function)


def _signature(
    key: str, definition: Any, loaded: Any, place: Loadable, meanings: Mapping[str, media.Meaning]
) -> Signature:
    inputs = {alias: _spec(info, *meanings.get(alias, media.Meaning())) for alias, info in definition.inputs.items()}
    outputs = {alias: _spec(info) for alias, info in definition.outputs.items()}
    defaults: dict[str, Array] = {alias: tf.make_ndarray(value) for alias, value in definition.defaults.items()}
    return Signature(key, definition.method_name, inputs, outputs, defaults, _caller(loaded, key, inputs, place))


def _spec(info: Any, kind: str = "", sample_rate: int = 0) -> TensorSpec:
    shape = info.tensor_shape
    sizes = None if shape.unknown_rank else tuple(dim.size for dim in shape.dim)
    return TensorSpec(info.dtype, sizes, kind, sample_rate)


def _array(value: Any) -> Array:
    """NumPy's own strings end before their zero bytes, so one string becomes an object."""
    return np.asarray(value, object) if isinstance(value, bytes) else np.asarray(value)


def _caller(loaded: Any, key: str, inputs: dict[str, TensorSpec], place: Loadable) -> Callable[[Arrays], Arrays]:
    function = loaded.signatures[key]
    dtypes = {alias: tf.as_dtype(spec.dtype) for alias, spec in inputs.items()}

    def call(arrays: Arrays, model: Any = loaded) -> Arrays:
        # `model` keeps the variables alive: a signature alone does not.
        try:
            given = {alias: tf.constant(array, dtypes[alias]) for alias, array in arrays.items()}
            results = function(**place.arguments(key, given))
            return {alias: _array(tensor.numpy()) for alias, tensor in results.items()}
        except tf.errors.OpError as error:
            kind = _FROM_TENSORFLOW.get(error.error_code, ModelFailed)
            fault = find_fault(error, arrays)
            raise kind(f"signature {key}: {fault.words}", field=fault.field) from error
        except (TypeError, ValueError) as error:
            raise InvalidArgument(f"signature {key}: {first_line(error)}") from error

    return call


def _warmup_requests(folder: Path) -> tuple[bytes, ...]:
    path = folder / WARMUP_FILE
    if not path.is_file():
        return ()
    requests: list[bytes] = []
    try:
        for record in tf.data.TFRecordDataset(os.fspath(path)).take(MAX_WARMUP_RECORDS).as_numpy_iterator():
            entry = prediction_log_pb2.PredictionLog.FromString(record)
            if entry.WhichOneof("log_type") == "predict_log":
                requests.append(entry.predict_log.request.SerializeToString())
    except Exception as error:
        raise CannotServe(f"{path} cannot be read: {first_line(error)}") from error
    return tuple(requests)
