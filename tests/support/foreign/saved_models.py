"""SavedModels that do no harm; some of them can't be served."""

from pathlib import Path
from typing import Any

from tests.support.foreign.models import model, module


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
def pictures(target: Path, ran: Path) -> None:
    """Takes pictures as floats, with a mask beside them."""
    import tensorflow as tf

    def serve(image: Any, mask: Any) -> dict[str, Any]:
        return {"light": tf.reduce_mean(image, (1, 2, 3)) * mask}

    specs = (tf.TensorSpec((None, 28, 28, 1), tf.float32, "image"), tf.TensorSpec((None,), tf.float32, "mask"))
    module(target, serve, *specs)
