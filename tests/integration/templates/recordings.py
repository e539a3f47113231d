"""Sounds and pictures that a small network learns in seconds: telephone keys, sweeps, and number plates."""

import io
from collections.abc import Sequence

import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

RATE = 8000
KEYS = {
    digit: (low, high)
    for low, row in zip((697, 770, 852, 941), ("123", "456", "789", " 0 "), strict=True)
    for digit, high in zip(row, (1209, 1336, 1477), strict=True)
    if digit != " "
}
"""A digit's two pitches (ITU-T Q.23)."""


def wav(mono: NDArray[np.float64], *, rate: int = RATE, channels: int = 1, form: str = "WAV") -> bytes:
    out = io.BytesIO()
    soundfile.write(out, np.repeat(mono[:, np.newaxis], channels, 1), rate, format=form)
    return out.getvalue()


def dialled(digits: str, random: np.random.Generator, *, rate: int = RATE) -> NDArray[np.float64]:
    """The tones of these keys, each for a tenth of a second, a little louder or softer and further apart or closer."""
    parts = [np.zeros(int(rate * random.uniform(0.0, 0.05)))]
    times = np.arange(int(rate * 0.1)) / rate
    for digit in digits:
        tone = np.sum([np.sin(2 * np.pi * pitch * times) for pitch in KEYS[digit]], axis=0)
        parts += [random.uniform(0.1, 0.4) * tone, np.zeros(int(rate * random.uniform(0.04, 0.08)))]
    mono = np.concatenate(parts)
    return mono + random.normal(0, 0.003, len(mono))


def sweep(rising: bool, random: np.random.Generator) -> NDArray[np.float64]:
    """A pitch that rises or falls, over half a second."""
    pitch = np.linspace(300, 2500, RATE // 2) + random.uniform(0, 300)
    phase = np.cumsum(pitch if rising else pitch[::-1]) / RATE
    return random.uniform(0.1, 0.4) * np.sin(2 * np.pi * phase) + random.normal(0, 0.01, RATE // 2)


def plate(text: str, random: np.random.Generator, size: tuple[int, int] = (64, 24)) -> bytes:
    """Dark letters on a light plate, a little to the side, with noise: PNG."""
    image = Image.new("L", size, int(random.integers(150, 250)))
    place = (int(random.integers(2, 8)), int(random.integers(1, 5)))
    ImageDraw.Draw(image).text(place, text, int(random.integers(0, 70)), ImageFont.load_default(16))
    noisy = np.asarray(image) + random.normal(0, 6, (size[1], size[0]))
    out = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def texts(symbols: str, counts: Sequence[int], random: np.random.Generator) -> list[list[str]]:
    """For each split so many strings of two to four symbols."""
    return [
        ["".join(random.choice(list(symbols), int(random.integers(2, 5)))) for _ in range(count)] for count in counts
    ]
