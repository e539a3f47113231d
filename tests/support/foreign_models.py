"""Models as people bring them, good ones and evil ones, made by TensorFlow in one process of its own.

`python -m tests.support.foreign_models FOLDER` writes a folder (a SavedModel) or a `.keras` file for each of MODELS.
What an evil one does when it is run is leave a file at `FOLDER/ran/<name>`.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

MODELS: dict[str, Callable[[Path, Path], None]] = {}


def foreign_models(folder: Path) -> Path:
    """All of them; TensorFlow runs for some twenty seconds."""
    (folder / "ran").mkdir(parents=True)
    (folder / "ran").chmod(0o777)
    made = subprocess.run(
        [sys.executable, "-m", "tests.support.foreign_models", str(folder)],
        check=False,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr[-3000:]
    return folder


def model(function: Callable[[Path, Path], None]) -> Callable[[Path, Path], None]:
    """Called with where it shall be and the file that running it would make."""
    MODELS[function.__name__] = function
    return function


def module(target: Path, function: Any, *specs: Any, **kept: Any) -> None:
    """A SavedModel of one function over tensors of these specs."""
    import tensorflow as tf

    holder = tf.Module()
    for name, value in kept.items():
        setattr(holder, name, value)
    holder.serve = tf.function(function, input_signature=specs)
    tf.saved_model.save(holder, str(target), signatures={"serving_default": holder.serve})


@model
def plain(target: Path, ran: Path) -> None:
    import tensorflow as tf

    weights = tf.Variable(tf.reshape(tf.linspace(-1.0, 1.0, 6), (3, 2)))
    spec = tf.TensorSpec((None, 3), tf.float32, "x")
    module(target, lambda x: {"y": tf.matmul(x, weights)}, spec, weights=weights)


@model
def many(target: Path, ran: Path) -> None:
    """Several signatures with several inputs and outputs, a vocabulary in an asset, and a scalar."""
    import tensorflow as tf

    vocabulary = target.with_name("many.txt")
    vocabulary.write_text("cat\ndog\n")
    source = tf.lookup.TextFileInitializer(
        str(vocabulary), tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE
    )
    holder = tf.Module()
    holder.table = tf.lookup.StaticHashTable(source, "?")
    holder.scale = tf.Variable(2.0)

    def pair(a: Any, b: Any) -> dict[str, Any]:
        return {"sum": tf.reduce_sum(a, 1) * holder.scale, "name": holder.table.lookup(b % 2)}

    def scalar(x: Any) -> dict[str, Any]:
        return {"twice": x * holder.scale}

    def length(text: Any) -> dict[str, Any]:
        return {"length": tf.strings.length(text)}

    spec = tf.TensorSpec
    holder.pair = tf.function(pair, [spec((None, 3), tf.float32, "a"), spec((None,), tf.int64, "b")])
    holder.scalar = tf.function(scalar, [spec((), tf.float32, "x")])
    holder.length = tf.function(length, [spec((None,), tf.string, "text")])
    signatures = {"serving_default": holder.pair, "scalar": holder.scalar, "length": holder.length}
    tf.saved_model.save(holder, str(target), signatures=signatures)


@model
def first(target: Path, ran: Path) -> None:
    """A SavedModel of TensorFlow 1: a graph with variables, a table that an asset fills, and two signatures."""
    import tensorflow as tf

    v1 = tf.compat.v1
    vocabulary = target.with_name("first.txt")
    vocabulary.write_text("one\ntwo\nthree\n")
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, (None, 3), "x")
        weights = v1.get_variable(
            "weights", initializer=tf.reshape(tf.linspace(-1.0, 1.0, 9), (3, 3)), use_resource=True
        )
        logits = tf.matmul(x, weights)
        asset = tf.constant(str(vocabulary))
        v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, asset)
        table = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                asset, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE
            ),
            "?",
        )
        name = table.lookup(tf.argmax(logits, -1))
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        info = v1.saved_model.utils.build_tensor_info
        build = v1.saved_model.signature_def_utils.build_signature_def
        builder = v1.saved_model.Builder(str(target))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            signature_def_map={
                "serving_default": build(
                    {"x": info(x)}, {"logits": info(logits), "name": info(name)}, "tensorflow/serving/predict"
                ),
                "logits": build({"features": info(x)}, {"out": info(logits)}, "tensorflow/serving/predict"),
            },
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            main_op=v1.tables_initializer(),
        )
        builder.save()


@model
def mean(target: Path, ran: Path) -> None:
    """Its rows depend on each other."""
    import tensorflow as tf

    spec = tf.TensorSpec((None, 2), tf.float32, "x")
    module(target, lambda x: {"y": x - tf.reduce_mean(x, axis=0, keepdims=True)}, spec)


@model
def dice(target: Path, ran: Path) -> None:
    """It answers differently each time."""
    import tensorflow as tf

    module(target, lambda x: {"y": x + tf.random.normal(tf.shape(x))}, tf.TensorSpec((None, 2), tf.float32, "x"))


@model
def unsigned(target: Path, ran: Path) -> None:
    """A SavedModel without a signature."""
    import tensorflow as tf

    tf.saved_model.save(tf.Module(), str(target))


@model
def sparse(target: Path, ran: Path) -> None:
    """Its one signature takes a sparse tensor, which no request carries."""
    import tensorflow as tf

    holder = tf.Module()
    holder.serve = tf.function(
        lambda x: {"y": tf.sparse.reduce_sum(x, 1)}, input_signature=[tf.SparseTensorSpec((None, 3), tf.float32)]
    )
    tf.saved_model.save(holder, str(target), signatures={"serving_default": holder.serve})


@model
def reads(target: Path, ran: Path) -> None:
    import tensorflow as tf

    module(target, lambda x: {"y": tf.io.read_file(x)}, tf.TensorSpec((), tf.string, "x"))


@model
def writes(target: Path, ran: Path) -> None:
    """In a function that a function calls, and that initialisation runs."""
    import tensorflow as tf

    class Evil(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec((None,), tf.float32, "x")])  # type: ignore[untyped-decorator]
        def serve(self, x: Any) -> dict[str, Any]:
            return {"y": self.hidden(x)}

        @tf.function  # type: ignore[untyped-decorator]
        def hidden(self, x: Any) -> Any:
            tf.io.write_file(str(ran), "here")
            return x + 1.0

    evil = Evil()
    tf.saved_model.save(evil, str(target), signatures={"serving_default": evil.serve})


@model
def calls_python(target: Path, ran: Path) -> None:
    import tensorflow as tf

    spec = tf.TensorSpec((None,), tf.float32, "x")
    module(target, lambda x: {"y": tf.py_function(lambda value: value, [x], tf.float32)}, spec)


@model
def prints_to_file(target: Path, ran: Path) -> None:
    import tensorflow as tf

    def serve(x: Any) -> dict[str, Any]:
        tf.print("here", output_stream=f"file://{ran}")
        return {"y": x + 1.0}

    module(target, serve, tf.TensorSpec((None,), tf.float32, "x"))


@model
def saves(target: Path, ran: Path) -> None:
    """What every SavedModel has for its variables, here for a prediction."""
    import tensorflow as tf

    def serve(x: Any) -> dict[str, Any]:
        tf.raw_ops.SaveV2(prefix=str(ran), tensor_names=["x"], shape_and_slices=[""], tensors=[x])
        return {"y": x + 1.0}

    module(target, serve, tf.TensorSpec((None,), tf.float32, "x"))


@model
def looks_up_a_file(target: Path, ran: Path) -> None:
    """A table from a file of the machine, made inside a function."""
    import tensorflow as tf

    def serve(x: Any) -> dict[str, Any]:
        table = tf.raw_ops.HashTableV2(key_dtype=tf.int64, value_dtype=tf.string)
        filled = tf.raw_ops.InitializeTableFromTextFileV2(
            table_handle=table, filename="/etc/hostname", key_index=-1, value_index=-2
        )
        with tf.control_dependencies([filled]):
            return {"y": tf.raw_ops.LookupTableFindV2(table_handle=table, keys=x, default_value="?")}

    module(target, serve, tf.TensorSpec((None,), tf.int64, "x"))


@model
def custom(target: Path, ran: Path) -> None:
    """An operation that TensorFlow does not have: from a library that its owner loads."""
    _edited(target, lambda node: node.op == "MatMul", lambda node: setattr(node, "op", "EvilOp"))


@model
def huge(target: Path, ran: Path) -> None:
    """A constant of 40 GB in a few bytes."""
    import tensorflow as tf

    def grow(node: Any) -> None:
        tensor = node.attr["value"].tensor
        tensor.Clear()
        tensor.CopyFrom(tf.make_tensor_proto(0.0, tf.float32))
        for size in (100_000, 100_000):
            tensor.tensor_shape.dim.add(size=size)

    spec = tf.TensorSpec((None, 3), tf.float32, "x")
    source = target.with_name("huge-source")
    module(source, lambda x: {"y": x + tf.constant([1.0, 2.0, 3.0])}, spec)
    _edited(target, lambda node: node.op == "Const" and node.attr["dtype"].type == 1, grow, source)
    shutil.rmtree(source)


@model
def warm(target: Path, ran: Path) -> None:
    """Its warm-up file asks for a million rows."""
    import numpy as np
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    plain(target, ran)
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "m"
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(np.zeros((1_000_000, 3), np.float32)))
    log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
    (target / "assets.extra").mkdir()
    with tf.io.TFRecordWriter(str(target / "assets.extra" / "tf_serving_warmup_requests")) as out:
        out.write(log.SerializeToString())


def _edited(
    target: Path, which: Callable[[Any], bool], change: Callable[[Any], None], source: Path | None = None
) -> None:
    """A copy of `plain` (or `source`) with some nodes changed in the file."""
    from tensorflow.core.protobuf import saved_model_pb2

    if source is None:
        plain(target, target)
    else:
        shutil.copytree(source, target)
    path = target / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    graph = saved.meta_graphs[0].graph_def
    nodes = [node for function in graph.library.function for node in function.node_def] + list(graph.node)
    found = [node for node in nodes if which(node)]
    assert found
    for node in found:
        change(node)
    path.write_bytes(saved.SerializeToString())
    (target / "fingerprint.pb").unlink(missing_ok=True)


@model
def keras_plain(target: Path, ran: Path) -> None:
    """Two inputs, two outputs."""
    import keras

    a, b = keras.Input((3,), name="a"), keras.Input((2,), name="b")
    joined = keras.layers.Concatenate()([keras.layers.Dense(4, activation="relu")(a), b])
    outputs = {
        "p": keras.layers.Dense(2, activation="softmax", name="p")(joined),
        "q": keras.layers.Dense(1, name="q")(joined),
    }
    keras.Model({"a": a, "b": b}, outputs).save(target.with_suffix(".keras"))


@model
def pictures(target: Path, ran: Path) -> None:
    """Takes pictures as floats, with a mask beside them."""
    import tensorflow as tf

    def serve(image: Any, mask: Any) -> dict[str, Any]:
        return {"light": tf.reduce_mean(image, (1, 2, 3)) * mask}

    specs = (tf.TensorSpec((None, 28, 28, 1), tf.float32, "image"), tf.TensorSpec((None,), tf.float32, "mask"))
    module(target, serve, *specs)


@model
def keras_pictures(target: Path, ran: Path) -> None:
    """A classifier of pictures that were divided by 255."""
    import keras

    layers = [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(4, activation="softmax")]
    keras.Sequential(layers).save(target.with_suffix(".keras"))


@model
def keras_lambda(target: Path, ran: Path) -> None:
    import keras

    def evil(x: Any) -> Any:
        with open(str(ran), "w") as file:  # noqa: PTH123 - it has to run without this module's imports
            file.write("here")
        return x

    keras.Sequential([keras.Input((3,)), keras.layers.Lambda(evil, name="innocent")]).save(target.with_suffix(".keras"))
    ran.unlink(missing_ok=True)


@model
def keras_tfsm(target: Path, ran: Path) -> None:
    import keras

    source = target.with_name("tfsm-source")
    plain(source, ran)
    layer = keras.layers.TFSMLayer(str(source), call_endpoint="serving_default", name="smuggled")
    keras.Sequential([keras.Input((3,)), layer]).save(target.with_suffix(".keras"))


@model
def keras_custom(target: Path, ran: Path) -> None:
    import keras

    @keras.saving.register_keras_serializable("theirs")
    class Special(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x * 2.0

    keras.Sequential([keras.Input((3,)), Special(name="special")]).save(target.with_suffix(".keras"))


@model
def keras_get_file(target: Path, ran: Path) -> None:
    """Its configuration names a function of Keras that fetches and unpacks."""
    _reconfigured(
        target, {"module": "keras.utils", "class_name": "get_file", "config": {"origin": f"file://{__file__}"}}
    )


@model
def keras_os_system(target: Path, ran: Path) -> None:
    _reconfigured(target, {"module": "os", "class_name": "system", "config": f"touch {ran}", "registered_name": None})


@model
def keras_gigantic(target: Path, ran: Path) -> None:
    """A layer of 400 GB in a few bytes of configuration."""

    def grow(config: Any) -> None:
        config["config"]["layers"][1]["config"]["units"] = 100_000_000_000 // 3

    _rewritten(target, grow)


@model
def keras_linked(target: Path, ran: Path) -> None:
    """Its weights are links to another HDF5 file."""
    import h5py
    import numpy as np

    secret = target.with_name("secret.h5")
    with h5py.File(secret, "w") as file:
        file["kernel"], file["bias"] = np.ones((3, 2), np.float32), np.ones(2, np.float32)
    _rewritten(target, lambda config: None)
    path = target.with_suffix(".keras")
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    weights = target.with_name("linked.h5")
    weights.write_bytes(parts["model.weights.h5"])
    with h5py.File(weights, "r+") as file:
        layers = file["layers"]
        name = next(iter(layers))
        for key, dataset in (("0", "kernel"), ("1", "bias")):
            del layers[name]["vars"][key]
            layers[name]["vars"][key] = h5py.ExternalLink(str(secret), dataset)
    parts["model.weights.h5"] = weights.read_bytes()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def _reconfigured(target: Path, layer: dict[str, Any]) -> None:
    _rewritten(target, lambda config: config["config"]["layers"].__setitem__(1, layer))


def _rewritten(target: Path, change: Callable[[Any], None]) -> None:
    """A small `.keras` file whose configuration was changed."""
    import keras

    path = target.with_suffix(".keras")
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    change(config)
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def write(folder: Path) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    for name, make in MODELS.items():
        make(folder / name, folder / "ran" / name)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
