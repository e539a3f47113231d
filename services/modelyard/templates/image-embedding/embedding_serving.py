"""What is served: a picture's vector, whether two pictures are of one identity, and which known pictures are most like
one."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from modelyard.job import images

AT_ONCE = 256


class Searching(keras.Model):
    """A network with a gallery: the vectors of pictures that are known."""

    def __init__(
        self,
        net: keras.Model,
        vectors: NDArray[np.float32],
        names: Sequence[str],
        paths: Sequence[str],
        *,
        threshold: float,
        gallery: str,
    ) -> None:
        """`names` and `paths`: of the gallery's pictures; `threshold`: similarities from here on are the same identity;
        `gallery`: what the gallery is called."""
        super().__init__(name="searching")
        self.net = net
        self._picture: tuple[int, int, int] = tuple(net.input_shape[1:])
        self.count = len(vectors)
        self.vectors = self.add_weight(
            name="vectors", shape=vectors.shape, dtype="float32", initializer="zeros", trainable=False
        )
        self.vectors.assign(vectors)
        self.names, self.paths = tf.constant([*names], tf.string), tf.constant([*paths], tf.string)
        self.threshold = threshold
        self.gallery = tf.constant(gallery)
        self.built = True

    def call(self, image: Any) -> Any:
        """As the network."""
        return self.net(image, training=False)

    def signatures(self) -> dict[str, Callable[..., Any]]:
        """By name."""
        encoded = tf.TensorSpec((None,), tf.string)

        def serving_default(image: Any) -> dict[str, Any]:
            return {"embedding": self.net(image, training=False)}

        def embed(image_bytes: Any) -> dict[str, Any]:
            return {"embedding": self.seen(image_bytes)}

        def verify(first: Any, second: Any) -> dict[str, Any]:
            similarity = tf.reduce_sum(self.seen(first) * self.seen(second), 1)
            return {"similarity": similarity, "same": similarity >= self.threshold}

        def search(image_bytes: Any, k: Any) -> dict[str, Any]:
            return self.search(image_bytes, k)

        found: dict[str, Callable[..., Any]] = {
            "serving_default": tf.function(
                serving_default, input_signature=[tf.TensorSpec((None, *self._picture), tf.uint8)]
            ),
            "embed": tf.function(embed, input_signature=[encoded]),
            "verify": tf.function(verify, input_signature=[encoded, encoded]),
        }
        number = tf.TensorSpec((), tf.int32)
        return found | ({"search": tf.function(search, input_signature=[encoded, number])} if self.count else {})

    def seen(self, data: Any) -> Any:
        """Encoded pictures of any size -> their vectors."""
        return self.net(images.decode_batch(data, self._picture), training=False)

    def search(self, image_bytes: Any, k: Any) -> dict[str, Any]:
        """The `k` pictures of the gallery that are most like each."""
        message = f"k is the number of pictures to find: 1 to {self.count:,}"
        fits = tf.debugging.Assert(tf.logical_and(k >= 1, k <= self.count), [message, "and not", k])
        with tf.control_dependencies([fits] if fits is not None else []):
            vectors = self.seen(image_bytes)
        scores, places = tf.math.top_k(tf.matmul(vectors, tf.convert_to_tensor(self.vectors), transpose_b=True), k)
        return {
            "items": tf.gather(self.names, places),
            "paths": tf.gather(self.paths, places),
            "scores": scores,
            "gallery": tf.fill([tf.shape(vectors)[0]], self.gallery),
        }


def vectors_of(net: keras.Model, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """[n, units], some pictures at a time."""
    some = [np.asarray(net(pixels[at : at + AT_ONCE], training=False)) for at in range(0, len(pixels), AT_ONCE)]
    return np.concatenate(some) if some else np.zeros((0, int(net.output_shape[-1])), np.float32)
