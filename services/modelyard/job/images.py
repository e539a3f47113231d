"""Images as tensors: the same functions prepare the data and serve the model, so both see the same pixels."""

import re
from typing import Any

import tensorflow as tf

Shape = tuple[int, int, int]
"""Height, width, channels."""
_HEAD = 32
"""Bytes of a file that say whether it may be transparent."""


def decode(data: Any, channels: int) -> Any:
    """An encoded image (string scalar: PNG, JPEG, WebP, GIF or BMP) as uint8 [height, width, channels].

    Where one or three channels are wanted, what is transparent in a PNG or a WebP shows white.
    """
    seen = tf.cond(_may_be_transparent(data), lambda: _on_white(data, channels), lambda: _opaque(data, channels))
    image = tf.ensure_shape(seen, (None, None, channels))
    image.set_shape((None, None, channels))
    return image


def _may_be_transparent(data: Any) -> Any:
    """By their headers: a PNG with an alpha channel or a palette, a WebP with an alpha channel."""
    # A file that ends before has zeros there.
    padded = tf.strings.join([tf.strings.substr(data, 0, _HEAD), tf.constant(b"\0" * _HEAD)])
    head = tf.io.decode_raw(padded, tf.uint8)

    def has(at: int, signature: bytes) -> Any:
        return tf.reduce_all(head[at : at + len(signature)] == tf.constant(list(signature), tf.uint8))

    def flag(at: int) -> Any:
        return tf.bitwise.bitwise_and(head[at], tf.constant(0x10, tf.uint8)) > 0

    colour = tf.reduce_any(head[25] == tf.constant([3, 4, 6], tf.uint8))
    webp = (has(12, b"VP8X") & flag(20)) | (has(12, b"VP8L") & flag(24))
    return (has(0, b"\x89PNG") & colour) | (has(0, b"RIFF") & webp)


def _on_white(data: Any, channels: int) -> Any:
    image = tf.io.decode_image(data, 4, expand_animations=False)
    if channels == 4:
        return image
    colour, alpha = tf.cast(image[..., :3], tf.uint16), tf.cast(image[..., 3:], tf.uint16)
    # Rounded: (x + 127) // 255, and what is opaque stays as it is.
    blended = tf.cast((colour * alpha + 255 * (255 - alpha) + 127) // 255, tf.uint8)
    return tf.image.rgb_to_grayscale(blended) if channels == 1 else blended


def _opaque(data: Any, channels: int) -> Any:
    if channels == 1:
        # TensorFlow turns PNG and JPEG to grey while it decodes, but not the others.
        first = [tf.strings.substr(data, 0, len(each)) == each for each in ("GIF", "BM", "RIFF")]
        coloured = tf.reduce_any(tf.stack(first))
        return tf.cond(
            coloured,
            lambda: tf.image.rgb_to_grayscale(tf.io.decode_image(data, 3, expand_animations=False)),
            lambda: tf.io.decode_image(data, 1, expand_animations=False),
        )
    if channels == 4:
        colours = tf.io.decode_image(data, 3, expand_animations=False)
        return tf.concat([colours, tf.fill(tf.concat([tf.shape(colours)[:2], [1]], 0), tf.constant(255, tf.uint8))], -1)
    return tf.io.decode_image(data, channels, expand_animations=False)


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
