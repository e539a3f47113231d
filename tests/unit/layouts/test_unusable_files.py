"""Files that are cut off, empty, of another kind or far too large are named with the reason; the rest goes on."""

import io
import struct
import zlib

import pytest
import soundfile
from PIL import Image

from tests.support.pictures import picture
from tests.support.sounds import wav
from tests.support.trees import whole


def huge_png() -> bytes:
    """Its header: 108 megapixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 12_000, 9_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


def long_flac() -> bytes:
    """Ten hours at 48 kHz in its header, an eighth of a second in the file."""
    out = io.BytesIO()
    soundfile.write(out, [0.1] * 6000, 48_000, format="FLAC")
    data = bytearray(out.getvalue())
    # STREAMINFO begins at byte 8; the count of samples is the last 36 bits of its bytes 10 to 18.
    (packed,) = struct.unpack_from(">Q", data, 18)
    struct.pack_into(">Q", data, 18, packed >> 36 << 36 | 36_000 * 48_000)
    return bytes(data)


def gif_bomb() -> bytes:
    """200 frames of 16 megapixels in 3 kB."""
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 4000, 4000, 0) + b"\x02\x01\x00\x00"
    return b"GIF89a" + struct.pack("<HHBBB", 4000, 4000, 0, 0, 0) + frame * 200 + b"\x3b"


def gif(seed: int) -> bytes:
    frames = [Image.open(io.BytesIO(picture(seed + number))) for number in range(3)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    return out.getvalue()


CASES = {
    "image": (
        "png",
        [picture(seed) for seed in range(18)],
        {
            "cut.png": (picture()[:20], "ends after 20 bytes, inside its header"),
            "empty.png": (b"", "is empty"),
            "huge.png": (huge_png(), "is 12,000 × 9,000 pixels; at most 67 million are decoded"),
            "sound.png": (wav(), "begins with 'RIFF"),
        },
    ),
    "audio": (
        "wav",
        [wav(seed=seed) for seed in range(18)],
        {
            "cut.wav": (wav()[:-10], "is cut off: its header speaks of 1,600 bytes of sound, 1,590 are there"),
            "empty.wav": (b"", "is empty"),
            "huge.flac": (long_flac(), "is 10.0 hours long, 1,728,000,000 samples in 1 channel(s)"),
            "picture.wav": (picture(), "begins with '\\x89PNG"),
        },
    ),
    "video": (
        "gif",
        [gif(seed) for seed in range(18)],
        {
            "cut.gif": (gif(1)[:-40], "is cut off: a GIF that ends inside its frame"),
            "empty.gif": (b"", "is empty"),
            "huge.gif": (gif_bomb(), "has 200 frames of 4,000 × 4,000 pixels, which unpack to 9 GiB"),
            "picture.gif": (picture(), "begins with '\\x89PNG"),
        },
    ),
}


@pytest.mark.parametrize("modality", CASES)
def test_what_cannot_be_used_is_named_and_the_rest_goes_on(modality: str) -> None:
    suffix, good, bad = CASES[modality]
    files = {f"{'ab'[number % 2]}/{number}.{suffix}": data for number, data in enumerate(good)}
    files |= {f"a/{name}": data for name, (data, _) in bad.items()}
    _, rows, problems = whole(files)
    said = dict(problem.split(": ", 1) for problem in problems)
    assert set(said) == {f"a/{name}" for name in bad}
    for name, (_, reason) in bad.items():
        assert said[f"a/{name}"].startswith(reason), said[f"a/{name}"]
    assert sum(len(each.origins) for each in rows.values()) == len(good)
