"""TensorFlow and its Serving API: the reference, and the models that the tests serve."""

import warnings
from pathlib import Path
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import keras
    import tensorflow as tf
    from tensorflow_serving.apis import (
        classification_pb2,
        get_model_metadata_pb2,
        get_model_status_pb2,
        model_management_pb2,
        predict_pb2,
        prediction_log_pb2,
        prediction_service_pb2_grpc,
    )
    from tensorflow_serving.apis import model_service_pb2_grpc as model_service

__all__ = [
    "classification_pb2",
    "export",
    "get_model_metadata_pb2",
    "get_model_status_pb2",
    "model_management_pb2",
    "model_service",
    "predict_pb2",
    "prediction_log_pb2",
    "prediction_service_pb2_grpc",
    "tf",
]


class Exported(tf.Module):
    """A tiny convolutional network on 8x8 images, with the signatures a modelyard model has and a few more."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        keras.utils.set_random_seed(seed)
        layers = keras.layers
        self.network = keras.Sequential(
            [
                layers.Input((8, 8, 1)),
                layers.Conv2D(4, 3, activation="relu"),
                layers.MaxPooling2D(2),
                layers.Flatten(),
                layers.Dense(3, activation="softmax"),
            ]
        )
        self.classes = tf.constant(["cat", "dog", "owl"])

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 1], tf.uint8, name="image")])
    def serving_default(self, image: Any) -> Any:
        return {"probabilities": self.network(tf.cast(image, tf.float32) / 255.0, training=False)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def encoded(self, image_bytes: Any) -> Any:
        def decode(one: Any) -> Any:
            return tf.reshape(tf.io.decode_image(one, channels=1, expand_animations=False), [8, 8, 1])

        images = tf.map_fn(decode, image_bytes, fn_output_signature=tf.TensorSpec([8, 8, 1], tf.uint8))
        probabilities = self.network(tf.cast(images, tf.float32) / 255.0, training=False)
        label = tf.gather(self.classes, tf.argmax(probabilities, axis=-1))
        return {"probabilities": probabilities, "label": label}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 2], tf.float32, name="left"),
            tf.TensorSpec([None, 2], tf.int64, name="right"),
        ]
    )
    def mixed(self, left: Any, right: Any) -> Any:
        return {
            "half": tf.cast(left, tf.float16),
            "scaled": tf.cast(left, tf.float64) * 0.5,
            "above": left > 0,
            "number": right * 2,
            "brain": tf.cast(left, tf.bfloat16),
        }

    @tf.function(input_signature=[tf.TensorSpec(None, tf.float32, name="anything")])
    def ranks(self, anything: Any) -> Any:
        return {"rank": tf.rank(anything), "total": tf.reduce_sum(anything)}


def export(folder: Path, seed: int = 7, warmup: list[Any] | None = None) -> Exported:
    """Writes a SavedModel; `warmup` are tensorflow_serving PredictRequests."""
    model = Exported(seed)
    signatures = {name: getattr(model, name) for name in ("serving_default", "encoded", "mixed", "ranks")}
    tf.saved_model.save(model, str(folder), signatures=signatures)
    if warmup is not None:
        extra = folder / "assets.extra"
        extra.mkdir()
        with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
            for request in warmup:
                log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
                writer.write(log.SerializeToString())
    return model
