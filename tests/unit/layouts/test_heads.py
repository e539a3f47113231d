"""Sizes come from headers, before anything is decoded."""

import io
import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from modelyard.layouts import sounds
from modelyard.layouts.files import File
from modelyard.layouts.heads import UnusableError
from modelyard.layouts.pictures import image_shape
from modelyard.layouts.sounds import sound_length
from modelyard.layouts.videos import video_size
from tests.support.pictures import picture
from tests.support.sounds import wav
from tests.support.trees import InMemory
from tests.support.videos import video

_CHANNELS = {"1": 1, "L": 1, "I;16": 1, "RGBA": 4}


def saved(mode: str, size: tuple[int, int], format: str, **options: object) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size).save(out, format, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    ("format", "mode"),
    [
        *(("PNG", mode) for mode in ("1", "L", "RGB", "RGBA", "P", "LA", "I;16")),
        *(("JPEG", mode) for mode in ("L", "RGB", "CMYK")),
        *(("WEBP", mode) for mode in ("L", "RGB", "RGBA")),
        *(("GIF", mode) for mode in ("L", "RGB", "P")),
        *(("BMP", mode) for mode in ("L", "RGB", "RGBA")),
    ],
)
def test_shapes_are_those_that_pillow_finds(format: str, mode: str) -> None:
    data = saved(mode, (33, 17), format)
    opened = Image.open(io.BytesIO(data))
    channels = 3 if format == "GIF" else _CHANNELS.get(opened.mode, 3)
    assert image_shape(InMemory(data)) == (format.lower(), (17, 33, channels))


@given(st.integers(1, 3000), st.integers(1, 40), st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "WEBP"]))
def test_any_size_is_read(width: int, height: int, format: str) -> None:
    assert image_shape(InMemory(saved("RGB", (width, height), format)))[1][:2] == (height, width)


def test_lossless_webp_says_its_size_too() -> None:
    assert image_shape(InMemory(saved("RGB", (9, 5), "WEBP", lossless=True))) == ("webp", (5, 9, 3))
    data = io.BytesIO()
    Image.new("RGBA", (9, 5), (1, 2, 3, 4)).save(data, "WEBP", lossless=True)
    assert image_shape(InMemory(data.getvalue())) == ("webp", (5, 9, 4))


def test_what_lies_before_the_frame_of_a_jpeg_is_passed_over() -> None:
    data = saved("RGB", (30, 20), "JPEG", exif=b"Exif\0\0" + bytes(60_000), comment=b"x" * 5000)
    assert image_shape(InMemory(data)) == ("jpeg", (20, 30, 3))


def huge_png(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + b"IHDR"
        + header
        + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    )


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"hello world", r"begins with 'hello wo'; it is no PNG, JPEG, WebP, GIF or BMP image"),
        (huge_png(12_000, 9_000), "is 12,000 × 9,000 pixels; at most 67 million are decoded"),
        (huge_png(0, 9), "claims to be 0 × 9 pixels"),
        (picture()[:20], "ends after 20 bytes, inside its header"),
        (picture()[:29] + b"\0\0\0\0" + picture()[33:], "is a damaged PNG"),
        (b"\xff\xd8\xff\xe0\0\x04ab\xff\xda\0\0", "is a damaged JPEG: it has no header of a frame"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "begins with"),
        (b"RIFF\x10\0\0\0WEBPABCD" + bytes(20), "is a damaged WebP: its first part is b'ABCD'"),
        (b"BM" + bytes(60), "is a BMP with an unknown header of 0 bytes"),
    ],
)
def test_what_is_no_image_says_why(data: bytes, said: str) -> None:
    with pytest.raises(UnusableError) as refused:
        image_shape(InMemory(data))
    assert str(refused.value).startswith(said)


def sound(format: str, subtype: str, channels: int = 2) -> bytes:
    out = io.BytesIO()
    noise = np.random.default_rng(1).normal(0, 0.1, (24_000, channels))
    soundfile.write(out, noise, 48_000, format=format, subtype=subtype)
    return out.getvalue()


@pytest.mark.parametrize(
    ("format", "subtype"),
    [
        ("WAV", "PCM_16"),
        ("WAV", "FLOAT"),
        ("WAV", "ULAW"),
        ("WAVEX", "PCM_16"),
        ("FLAC", "PCM_24"),
        ("OGG", "VORBIS"),
        ("OGG", "OPUS"),
    ],
)
def test_sounds_say_how_long_they_are(format: str, subtype: str) -> None:
    found = sound_length(InMemory(sound(format, subtype)))
    assert (found.encoding, found.samples, found.rate, found.channels) == (
        format.lower().removesuffix("ex"),
        24_000,
        48_000,
        2,
    )


def compressed(subtype: str, channels: int = 1) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, np.full((6000, channels), 0.1), 8000, format="WAV", subtype=subtype)
    return out.getvalue()


@pytest.mark.parametrize(
    ("subtype", "channels", "samples"),
    [
        ("MS_ADPCM", 1, 6000),
        ("MS_ADPCM", 2, 6000),
        ("IMA_ADPCM", 1, 6060),
        ("IMA_ADPCM", 2, 6060),
        ("GSM610", 1, 6000),
        ("G721_32", 1, 6000),
        ("NMS_ADPCM_16", 1, 6000),
    ],
)
def test_a_compressed_wav_is_as_long_as_its_samples_not_its_blocks(subtype: str, channels: int, samples: int) -> None:
    found = sound_length(InMemory(compressed(subtype, channels)))
    assert (found.samples, found.rate, found.channels) == (samples, 8000, channels)


def saying(data: bytes, samples: int) -> bytes:
    at = data.index(b"fact") + 8
    return data[:at] + struct.pack("<I", samples) + data[at + 4 :]


@pytest.mark.parametrize(
    ("subtype", "said", "samples"),
    [
        ("IMA_ADPCM", 5556, 5556),
        ("IMA_ADPCM", 5555, 6060),
        ("IMA_ADPCM", 0, 6060),
        ("IMA_ADPCM", 0xFFFFFFFF, 6060),
        ("GSM610", 10**9, 6080),
        ("G721_32", 0, 0),
        ("G721_32", 0xFFFFFFFF, 0),
        ("PCM_16", 6000, 6000),
        ("FLOAT", 77, 6000),
    ],
)
def test_a_wav_whose_fact_is_no_fact_is_as_long_as_its_blocks(subtype: str, said: int, samples: int) -> None:
    data = compressed(subtype)
    data = saying(data, said) if b"fact" in data else data
    assert sound_length(InMemory(data)).samples == samples


def test_a_compressed_wav_that_would_become_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sounds, "MAX_SAMPLES", 5000)
    with pytest.raises(UnusableError, match=r"^is 0\.0 minutes long, 6,000 samples in 1 channel"):
        sound_length(InMemory(compressed("MS_ADPCM")))


def long_wav(seconds: int, rate: int = 8000) -> File:
    """Ten hours take no memory: the file claims to be as large as its header says."""

    class Claimed(InMemory):
        @property
        def size(self) -> int:
            return 44 + 2 * rate * seconds

    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 0, b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16, b"data", 0xFFFFFFFF
    )
    return Claimed(head)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (InMemory(b""), "is empty"),
        (InMemory(b"ID3\4 and an MP3"), "begins with 'ID3"),
        (long_wav(36_000), "is 10.0 hours long, 288,000,000 samples in 1 channel(s); at most 268,435,456 are decoded"),
        (InMemory(wav(800)[:-10]), "is cut off: its header speaks of 1,600 bytes of sound, 1,590 are there"),
        (InMemory(wav(0)), "holds no sound"),
        (InMemory(wav(800)[:30]), "ends after 30 bytes, inside its header"),
        (InMemory(wav(8, rate=1)[:24] + bytes(4) + wav(8)[28:]), "claims to have 1 channels of 0 samples a second"),
        (InMemory(b"OggS" + bytes(22) + b"\x01\x1e" + b"\x80theora" + bytes(30)), "is an OGG file, but of no Vorbis"),
    ],
)
def test_what_is_no_sound_says_why(file: File, said: str) -> None:
    with pytest.raises(UnusableError) as refused:
        sound_length(file)
    assert str(refused.value).startswith(said)


def gif(frames: int, size: tuple[int, int] = (16, 12)) -> bytes:
    images = [Image.open(io.BytesIO(picture(number, size=size))) for number in range(frames)]
    out = io.BytesIO()
    images[0].save(out, "GIF", save_all=True, append_images=images[1:])
    return out.getvalue()


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_gifs_say_how_many_frames_they_have(frames: int) -> None:
    found = video_size(InMemory(gif(frames)))
    assert (found.encoding, found.frames, found.height, found.width) == ("gif", frames, 12, 16)


def box(kind: bytes, *content: bytes) -> bytes:
    inside = b"".join(content)
    return struct.pack(">I4s", 8 + len(inside), kind) + inside


def mp4(width: int, height: int, frames: int) -> bytes:
    entry = struct.pack(">I4s24xHH", 86, b"avc1", width, height)
    table = box(b"stbl", box(b"stsd", bytes(8), entry), box(b"stsz", struct.pack(">III", 0, 0, frames)))
    media = box(b"mdia", box(b"hdlr", bytes(8), b"vide", bytes(12)), box(b"minf", table))
    return box(b"ftyp", b"isom", bytes(4)) + box(b"mdat", bytes(100)) + box(b"moov", box(b"trak", media))


def test_mp4_says_its_size_wherever_its_index_is() -> None:
    found = video_size(InMemory(mp4(64, 48, 7)))
    assert (found.encoding, found.frames, found.height, found.width) == ("mp4", 7, 48, 64)


def bomb(width: int, height: int, frames: int) -> bytes:
    one = b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x01\x00\x00"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0) + one * frames + b"\x3b"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"nothing", "begins with 'nothing'; it is no MP4, WebM or GIF video"),
        (gif(5)[:-60], "is cut off: a GIF that ends inside its frame 5"),
        (bomb(4000, 4000, 200), "has 200 frames of 4,000 × 4,000 pixels, which unpack to 9 GiB; at most 3 GiB"),
        (bomb(20_000, 20_000, 1), "is 20,000 × 20,000 pixels"),
        (mp4(64, 48, 7)[:-10], "is cut off: its part b'moov' ends at byte"),
        (box(b"ftyp", b"isom"), "is cut off: an MP4 without its index (moov)"),
        (mp4(64, 48, 7).replace(b"vide", b"soun"), "is an MP4 file without a video track"),
        (mp4(1920, 1080, 10**7), "has 10,000,000 frames of 1,920 × 1,080 pixels"),
    ],
)
def test_what_is_no_video_says_why(data: bytes, said: str) -> None:
    with pytest.raises(UnusableError) as refused:
        video_size(InMemory(data))
    assert str(refused.value).startswith(said), refused.value


SAMPLES = [
    picture(),
    picture(format="JPEG"),
    saved("RGB", (9, 9), "WEBP"),
    saved("P", (9, 9), "BMP"),
    wav(40),
    gif(3),
    sound("OGG", "VORBIS", 1)[:3000],
    sound("FLAC", "PCM_16", 1)[:300],
    mp4(9, 9, 9),
    video("webm", 1),
]


@given(st.sampled_from(range(len(SAMPLES))), st.data())
def test_damaged_files_are_sizes_or_reasons(which: int, data: st.DataObject) -> None:
    damaged = bytearray(SAMPLES[which])
    for _ in range(data.draw(st.integers(0, 4))):
        damaged[data.draw(st.integers(0, min(200, len(damaged) - 1)))] = data.draw(st.integers(0, 255))
    cut = bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    for look in (image_shape, sound_length, video_size):
        with suppress(UnusableError):
            look(InMemory(cut))
