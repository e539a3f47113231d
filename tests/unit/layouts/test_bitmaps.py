"""BMP images: those are taken that TensorFlow decodes to the right colours."""

import struct

import pytest

from modelyard.layouts.heads import UnusableError
from modelyard.layouts.pictures import image_shape
from tests.support.trees import InMemory


def bmp(bits: int, palette: bytes = b"", header: int = 40) -> bytes:
    """Of 2 × 1 pixels."""
    sizes = struct.pack("<IiiHHIIiiII", header, 2, 1, 1, bits, 0, 0, 0, 0, len(palette) // 4, 0)
    begin = 54 + len(palette)
    return b"BM" + struct.pack("<IHHI", begin + 8, 0, 0, begin) + sizes + palette + bytes(8)


GREYS = b"".join(bytes([at, at, at, 0]) for at in range(256))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            bmp(1, GREYS[:4] + GREYS[-4:]),
            "is a BMP of 1 bit with a palette, which TensorFlow does not read; save it as PNG",
        ),
        (bmp(4, GREYS[:64]), "is a BMP of 4 bits with a palette"),
        (bmp(8, GREYS[::-1]), "is a BMP of 8 bits with a palette"),
        (bmp(8, GREYS[4:]), "is a BMP of 8 bits with a palette"),
        (bmp(8, GREYS[:400] + b"\1\2\3\0" + GREYS[404:]), "is a BMP of 8 bits with a palette"),
        (bmp(16), "is a BMP of 16 bits, which TensorFlow does not read; save it as PNG"),
        (bmp(24, header=12), "is a BMP with an unknown header of 12 bytes; save it as PNG"),
        (bmp(8, GREYS)[:1000], "ends after 1,000 bytes, inside its header"),
    ],
)
def test_a_bmp_of_colours_that_tensorflow_does_not_read_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(UnusableError) as refused:
        image_shape(InMemory(data))
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize(
    ("data", "channels"), [(bmp(8, GREYS), 1), (bmp(8, GREYS[:40]), 1), (bmp(24), 3), (bmp(32), 3)]
)
def test_a_bmp_of_greys_in_their_order_or_without_a_palette_is_read(data: bytes, channels: int) -> None:
    assert image_shape(InMemory(data)) == ("bmp", (1, 2, channels))
