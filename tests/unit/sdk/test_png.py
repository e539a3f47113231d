import io

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from modelyard.sdk.png import HEAD_BYTES, ordinary_shape
from tests.support.pictures import picture


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3), ("RGBA", 4)])
def test_an_ordinary_picture_says_its_shape(mode: str, channels: int) -> None:
    assert ordinary_shape(picture(size=(8, 6), mode=mode)[:HEAD_BYTES]) == (6, 8, channels)


def test_a_palette_counts_as_three_channels() -> None:
    out = io.BytesIO()
    Image.frombytes("RGB", (40, 30), bytes(range(256)) * 14 + bytes(16)).convert("P").save(out, "PNG")
    assert ordinary_shape(out.getvalue()[:HEAD_BYTES]) == (30, 40, 3)


def test_notes_before_the_pixels_are_passed_over() -> None:
    notes, out = PngInfo(), io.BytesIO()
    notes.add_text("Comment", "by hand")
    Image.new("L", (5, 4)).save(out, "PNG", pnginfo=notes, dpi=(72, 72))
    assert ordinary_shape(out.getvalue()[:HEAD_BYTES]) == (4, 5, 1)


@pytest.mark.parametrize("mode", ["1", "LA", "I;16"])
def test_rare_kinds_are_left_to_a_decoder(mode: str) -> None:
    out = io.BytesIO()
    Image.new(mode, (5, 4)).save(out, "PNG")
    assert ordinary_shape(out.getvalue()) is None


def test_another_format_is_left_to_a_decoder() -> None:
    assert ordinary_shape(picture(format="JPEG")) is None


@pytest.mark.parametrize("length", [0, 7, 8, 20, 32, 40])
def test_a_file_that_ends_before_its_pixels_is_left_to_a_decoder(length: int) -> None:
    assert ordinary_shape(picture()[:length]) is None


@pytest.mark.parametrize("at", range(29))
def test_a_damaged_header_is_left_to_a_decoder(at: int) -> None:
    damaged = bytearray(picture())
    damaged[at] ^= 0x40
    assert ordinary_shape(bytes(damaged)) is None
