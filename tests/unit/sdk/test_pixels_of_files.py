"""Files for models that take pixels."""

import io

import pytest
from PIL import Image

from modelyard.sdk.predicting.media import content
from modelyard.sdk.predicting.model import Input


@pytest.mark.parametrize(("mode", "clear"), [("RGBA", (200, 10, 10, 0)), ("LA", (60, 0))])
@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_transparent_shows_white(mode: str, clear: tuple[int, ...], channels: int) -> None:
    out = io.BytesIO()
    image = Image.new(mode, (2, 1), clear)
    image.putpixel((1, 0), (*(0,) * (len(clear) - 1), 255))
    image.save(out, "PNG")
    shape, pixels, _ = content(Input("image", "uint8", (-1, -1, -1, channels), "image"), out.getvalue(), None)
    assert (shape, list(pixels)) == ((1, 2, channels), [255] * channels + [0] * channels)


def test_of_grey_with_two_bytes_a_pixel_the_higher_one_is_sent() -> None:
    out = io.BytesIO()
    Image.frombytes("I;16", (4, 1), b"".join(level.to_bytes(2, "little") for level in (0, 300, 0x8000, 0xFFFF))).save(
        out, "PNG"
    )
    _, pixels, _ = content(Input("image", "uint8", (-1, -1, -1, 1), "image"), out.getvalue(), None)
    assert list(pixels) == [0, 1, 0x80, 0xFF]
