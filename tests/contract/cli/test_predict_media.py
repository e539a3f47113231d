"""`modelyard predict` with sounds and videos, and files that would become too large when they are decoded."""

import io
import struct
import wave
import zlib
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from modelyard.sdk.errors import InvalidArgument
from tests.contract.cli.asking import Run
from tests.support.asked_models import RATE, Asked


def tone(seconds: float, level: float = 0.9, *, rate: int = RATE, channels: int = 1) -> bytes:
    values = np.full(round(seconds * rate) * channels, round(level * 32767), "<i2")
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(values.tobytes())
    return out.getvalue()


def film(level: int, frames: int = 8) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=8)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for _ in range(frames):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), level, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


def test_a_sound_is_decoded_and_filled_up_with_silence(run: Run, models: dict[str, Asked]) -> None:
    Path("loud.wav").write_bytes(tone(0.25))
    Path("quiet.wav").write_bytes(tone(0.25, 0.1))
    said = run("predict", "speech", "--audio", "loud.wav", "quiet.wav").stdout.splitlines()
    assert said == ["loud.wav: positive (0.900)", "quiet.wav: negative (0.900)"]
    tensor = models["speech"].requests[0].inputs["audio"]
    samples = np.frombuffer(tensor.tensor_content, np.float32).reshape(2, RATE // 2)
    assert samples[0, : RATE // 4] == pytest.approx(0.9, abs=1e-3)
    assert not samples[0, RATE // 4 :].any()


def test_of_a_sound_that_is_too_long_the_beginning_is_used_and_that_is_said(run: Run) -> None:
    Path("long.wav").write_bytes(tone(2.0))
    said = run("predict", "speech", "--audio", "long.wav").stdout
    assert said == "positive (0.900)\n  note: of long.wav, 2.0 s long, the first 0.5 s are used\n"


@pytest.mark.parametrize(
    ("form", "seen"),
    [
        ({"rate": 44_100}, "has 44,100 samples a second in one channel; the model takes 8,000 in one channel"),
        ({"channels": 2}, "has 8,000 samples a second in 2 channels; the model takes 8,000 in one channel"),
    ],
)
def test_another_rate_and_stereo_are_refused_with_the_rate_named(run: Run, form: dict[str, int], seen: str) -> None:
    Path("a.wav").write_bytes(tone(0.1, **form))
    error = run("predict", "speech", "--audio", "a.wav").exception
    assert isinstance(error, InvalidArgument)
    assert (error.field, error.reason) == ("audio", "AUDIO_RATE")
    assert seen in error.message
    assert "ffmpeg -i a.wav -ac 1 -ar 8000" in error.message


def test_a_video_is_decoded_into_the_frames_that_the_model_takes(run: Run) -> None:
    Path("bright.mp4").write_bytes(film(250))
    Path("dark.mp4").write_bytes(film(5))
    said = run("predict", "motions", "--video", "*.mp4").stdout.splitlines()
    assert [line.split(" (")[0] for line in said] == ["bright.mp4: positive", "dark.mp4: negative"]
    frames = [Image.new("L", (32, 32), level) for level in (255, 250, 245)]
    frames[0].save("bright.gif", save_all=True, append_images=frames[1:])
    assert run("predict", "motions", "--video", "bright.gif").stdout.startswith("positive")


def huge_png() -> bytes:
    """100 megapixels in a header, and nothing behind it."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 10_000, 10_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


def ten_hours() -> bytes:
    """A FLAC of a few bytes whose header speaks of ten hours at 8 kHz."""
    bits = RATE << 44 | 0 << 41 | 15 << 36 | 36_000 * RATE
    return b"fLaC" + b"\x80" + (34).to_bytes(3, "big") + bytes(10) + bits.to_bytes(8, "big") + bytes(16)


def gif_bomb() -> bytes:
    """A GIF of 20 kB that unpacks to some gigabytes."""
    screen = b"GIF89a" + struct.pack("<HHBBB", 8000, 8000, 0x80, 0, 0) + bytes(6)
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 8000, 8000, 0) + b"\x02\x02\x44\x01\x00"
    return screen + frame * 1000 + b"\x3b"


@pytest.mark.parametrize(
    ("name", "option", "content", "sentence"),
    [
        ("digits", "image", huge_png(), "is 10,000 × 10,000 pixels; at most 67 million are decoded"),
        ("digits", "image", gif_bomb(), "has 1,000 frames of 8,000 × 8,000 pixels, which unpack to 179 GiB"),
        ("speech", "audio", ten_hours(), "is 10.0 hours long"),
        ("speech", "audio", tone(0.1)[:-40], "is cut off"),
        ("motions", "video", gif_bomb(), "has 1,000 frames of 8,000 × 8,000 pixels, which unpack to 179 GiB"),
        ("motions", "video", b"no video at all", "it is no MP4, WebM or GIF video"),
        ("digits", "image", b"", "is empty"),
    ],
)
def test_sizes_are_read_from_headers_and_nothing_is_sent(
    run: Run, models: dict[str, Asked], name: str, option: str, content: bytes, sentence: str
) -> None:
    Path("file").write_bytes(content)
    error = run("predict", name, f"--{option}", "file").exception
    assert isinstance(error, InvalidArgument), error
    assert sentence in error.message
    assert error.field in ("image", "image_bytes", "audio", "video")
    assert not models[name].requests
