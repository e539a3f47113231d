"""Decoding and resizing, in this process."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from modelyard.job import images

RAMP = np.linspace(0, 255, 12 * 10 * 3).astype(np.uint8).reshape(12, 10, 3)


def encoded(kind: str, mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    Image.fromarray(RAMP).convert(mode).save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_kind_of_image_becomes_what_the_model_takes(kind: str, channels: int) -> None:
    decoded = images.decode(tf.constant(encoded(kind)), channels).numpy()
    expected = RAMP if channels == 3 else np.asarray(Image.fromarray(RAMP).convert("L"))[..., np.newaxis]
    assert decoded.dtype == np.uint8
    assert decoded.shape == expected.shape
    assert np.abs(decoded.astype(int) - expected).max() <= 12


def test_a_grey_png_is_a_colour_image_with_equal_channels() -> None:
    decoded = images.decode(tf.constant(encoded("PNG", "L")), 3).numpy()
    assert (decoded[..., 0] == decoded[..., 2]).all()


def test_resizing_rounds_and_leaves_the_same_size_alone() -> None:
    assert (images.resize(tf.constant(RAMP), 12, 10).numpy() == RAMP).all()
    smaller = images.resize(tf.constant(RAMP[np.newaxis]), 6, 5).numpy()
    assert (smaller.shape, smaller.dtype) == ((1, 6, 5, 3), np.uint8)
    assert abs(float(smaller.mean()) - float(RAMP.mean())) < 2


def test_a_batch_of_images_of_different_sizes_becomes_one_tensor() -> None:
    small = io.BytesIO()
    Image.fromarray(RAMP[:5, :4]).save(small, "PNG")
    batch = images.decode_batch(tf.constant([encoded("PNG"), small.getvalue()]), (8, 8, 3))
    assert batch.shape == (2, 8, 8, 3)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_what_is_transparent_shows_white(kind: str) -> None:
    image, out = Image.new("RGBA", (2, 1), (200, 10, 10, 0)), io.BytesIO()
    image.putpixel((0, 0), (200, 10, 10, 255))
    image.save(out, kind, lossless=True, exact=True)
    assert images.decode(tf.constant(out.getvalue()), 3).numpy()[0].tolist() == [[200, 10, 10], [255, 255, 255]]
    assert images.decode(tf.constant(out.getvalue()), 4).numpy()[0].tolist() == [[200, 10, 10, 255], [200, 10, 10, 0]]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
def test_what_has_no_alpha_is_opaque(kind: str) -> None:
    decoded = images.decode(tf.constant(encoded(kind)), 4).numpy()
    assert decoded.shape == (12, 10, 4)
    assert (decoded[..., 3] == 255).all()
