"""SavedModels that do no harm and are unusual: in the names of their inputs, in their types, in what they draw."""

from pathlib import Path
from typing import Any

from tests.support.foreign.models import model, module


@model
def keywords(target: Path, ran: Path) -> None:
    """A SavedModel of TensorFlow 1 whose inputs no Python call can name, with a table that an asset fills."""
    import tensorflow as tf

    v1 = tf.compat.v1
    vocabulary = target.with_name("keywords.txt")
    vocabulary.write_text("one\ntwo\nthree\n")
    with tf.Graph().as_default(), v1.Session() as session:
        inputs = {name: v1.placeholder(tf.float32, (None, 3)) for name in ("in", "class", "self", "a-b", "a_b")}
        factors = v1.get_variable("factors", initializer=tf.constant([1.0, 10.0, 100.0, 1e3, 1e4]), use_resource=True)
        joined = tf.add_n([value * factors[number] for number, value in enumerate(inputs.values())])
        asset = tf.constant(str(vocabulary))
        v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, asset)
        line, whole = tf.lookup.TextFileIndex.LINE_NUMBER, tf.lookup.TextFileIndex.WHOLE_LINE
        source = tf.lookup.TextFileInitializer(asset, tf.int64, line, tf.string, whole)
        name = tf.lookup.StaticHashTable(source, "?").lookup(tf.argmax(joined, -1))
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        info = v1.saved_model.utils.build_tensor_info
        builder = v1.saved_model.Builder(str(target))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            signature_def_map={
                "serving_default": v1.saved_model.signature_def_utils.build_signature_def(
                    {name: info(value) for name, value in inputs.items()},
                    {"or": info(joined), "the name": info(name)},
                    "tensorflow/serving/predict",
                )
            },
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
            main_op=v1.tables_initializer(),
        )
        builder.save()


@model
def types(target: Path, ran: Path) -> None:
    """Numbers that NumPy does not have, complex ones and strings, taken and answered."""
    import tensorflow as tf

    def serve(b: Any, c: Any, f: Any, s: Any) -> dict[str, Any]:
        return {
            "bfloat16": b * tf.cast(1.5, tf.bfloat16),
            "float16": tf.cast(b, tf.float16) / 3,
            "float8_e5m2": tf.cast(tf.cast(f, tf.float32) / 3, tf.as_dtype("float8_e5m2")),
            "float8_e4m3fn": tf.cast(tf.cast(f, tf.float32) / 3, tf.as_dtype("float8_e4m3fn")),
            "complex64": c * tf.complex(0.0, 1.0),
            "complex128": tf.cast(c, tf.complex128),
            "string": tf.strings.join([s, "!"]),
            "bool": tf.math.real(c) > 0,
            "uint64": tf.cast(tf.strings.length(s), tf.uint64),
        }

    dtypes = {"b": tf.bfloat16, "c": tf.complex64, "f": tf.as_dtype("float8_e4m3fn"), "s": tf.string}
    module(target, serve, *(tf.TensorSpec((None,), dtype, name) for name, dtype in dtypes.items()))


@model
def noisy(target: Path, ran: Path) -> None:
    """One output is the same each time, one is drawn without a seed."""
    import tensorflow as tf

    spec = tf.TensorSpec((None, 2), tf.float32, "x")
    module(target, lambda x: {"y": 2.0 * x, "noise": x + tf.random.normal(tf.shape(x))}, spec)


@model
def counter(target: Path, ran: Path) -> None:
    """It answers differently each time, and draws nothing: it counts."""
    import tensorflow as tf

    count = tf.Variable(0.0)
    spec = tf.TensorSpec((None, 2), tf.float32, "x")
    module(target, lambda x: {"y": x + count.assign_add(1.0)}, spec, count=count)


@model
def ragged(target: Path, ran: Path) -> None:
    """One signature answers words, as many as there are; the other how many."""
    import tensorflow as tf

    holder = tf.Module()
    spec = tf.TensorSpec((None,), tf.string, "text")
    holder.words = tf.function(lambda text: {"words": tf.strings.split(text)}, [spec])
    holder.count = tf.function(lambda text: {"count": tf.strings.split(text).row_lengths()}, [spec])
    tf.saved_model.save(holder, str(target), signatures={"serving_default": holder.count, "words": holder.words})


@model
def only_ragged(target: Path, ran: Path) -> None:
    """Its one signature answers words, as many as there are."""
    import tensorflow as tf

    module(target, lambda text: {"words": tf.strings.split(text)}, tf.TensorSpec((None,), tf.string, "text"))
