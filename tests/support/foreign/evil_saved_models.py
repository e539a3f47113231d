"""SavedModels that read, write, run Python or take the machine's memory."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.foreign.models import model, module
from tests.support.foreign.saved_models import plain


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
