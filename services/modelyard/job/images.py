"""Images as tensors: the same functions prepare the data and serve the model, so both see the same pixels."""

import re
from typing import Any

import tensorflow as tf

Shape = tuple[int, int, int]
"""Height, width, channels."""


def decode(data: Any, channels: int) -> Any:
    """An encoded image (string scalar: PNG, JPEG, WebP, GIF or BMP) as uint8 [height, width, channels]."""
    if channels == 1:
        # TensorFlow turns PNG and JPEG to grey while it decodes, but not the others.
        first = [tf.strings.substr(data, 0, len(each)) == each for each in ("GIF", "BM", "RIFF")]
        coloured = tf.reduce_any(tf.stack(first))
        image = tf.cond(
            coloured,
            lambda: tf.image.rgb_to_grayscale(tf.io.decode_image(data, 3, expand_animations=False)),
            lambda: tf.io.decode_image(data, 1, expand_animations=False),
        )
    else:
        image = tf.io.decode_image(data, channels, expand_animations=False)
    image.set_shape((None, None, channels))
    return image


def resize(image: Any, height: int, width: int) -> Any:
    """uint8 [h, w, channels], or a batch of them, at another size and rounded; the same size is left alone."""
    size = tf.shape(image)[-3:-1]

    def scaled() -> Any:
        smooth = tf.image.resize(image, (height, width), antialias=True)
        return tf.cast(tf.clip_by_value(tf.round(smooth), 0.0, 255.0), tf.uint8)

    return tf.cond(tf.reduce_all(size == (height, width)), lambda: image, scaled)


def decode_to(data: Any, shape: Shape) -> Any:
    """An encoded image of any size as uint8 of exactly this shape."""
    height, width, channels = shape
    return tf.ensure_shape(resize(decode(data, channels), height, width), shape)


def decode_batch(data: Any, shape: Shape) -> Any:
    """Encoded images (string [n]) as uint8 [n, height, width, channels]."""
    signature = tf.TensorSpec(shape, tf.uint8)
    return tf.map_fn(lambda one: decode_to(one, shape), data, fn_output_signature=signature)


def reason(error: Exception) -> str:
    """Why an image cannot be decoded: TensorFlow's sentence without the names of its graph's nodes."""
    text = re.sub(r"\{\{.*?\}\}|\[Op:\w+\].*", "", str(error)).strip()
    return text.split("\n", 1)[0][:200] or type(error).__name__
