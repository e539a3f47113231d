"""What a sound looks like: its envelope, and how loud which frequency is when."""

import base64
import io

import numpy as np
from numpy.typing import NDArray

from modelyard.templates.profile.samples import Sound

POINTS = 300
"""Of the envelope."""
WINDOW = 512
COLUMNS, ROWS = 300, 96
RANGE_DB = 80.0
# A ramp from dark to light that grows evenly in lightness (after matplotlib's magma), so that it reads in grey too.
_RAMP = np.array(
    [(0, 0, 4), (28, 16, 68), (79, 18, 123), (129, 37, 129), (181, 54, 122), (229, 80, 100), (251, 135, 97),
     (254, 194, 135), (252, 253, 191)], np.float64
)  # fmt: skip


def shown(mono: NDArray[np.float32], rate: int, seconds: float) -> Sound:
    """What the page needs of a sound that takes so many seconds and begins like this."""
    edges = np.linspace(0, len(mono), min(POINTS, len(mono)) + 1).astype(np.int64)[:-1]
    return Sound(
        np.minimum.reduceat(mono, edges).round(3).tolist(),
        np.maximum.reduceat(mono, edges).round(3).tolist(),
        _spectrogram(mono),
        seconds,
        len(mono) / rate,
        rate / 2,
    )


def drawn(sound: Sound) -> str:
    """Its waveform above its spectrogram; the style sheet has the class `sounds`."""
    top = "".join(f"{'L' if at else 'M'}{at} {50 - 48 * high:.1f}" for at, high in enumerate(sound.high))
    low = "".join(f"L{at} {50 - 48 * each:.1f}" for at, each in reversed(list(enumerate(sound.low))))
    return (
        f'<svg viewBox="0 0 {max(1, len(sound.high) - 1)} 100" preserveAspectRatio="none" role="img" '
        f'aria-label="Waveform"><path class=wave d="{top}{low}Z"/></svg>'
        f'<img src="{sound.spectrogram}" alt="Spectrogram, up to {sound.nyquist:g} Hz">'
    )


def decibels(mono: NDArray[np.float32]) -> NDArray[np.float64]:
    """[frequencies, times], 0 = the loudest: magnitudes of short Fourier transforms with a Hann window."""
    padded = np.pad(mono, (0, max(0, WINDOW - len(mono))))
    hop = max(WINDOW // 4, (len(padded) - WINDOW) // COLUMNS)
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::hop]
    power = np.abs(np.fft.rfft(windows * np.hanning(WINDOW), axis=1)) ** 2
    loudest = power.max() or 1.0
    return np.asarray(10 * np.log10(np.maximum(power / loudest, 1e-12))).T


def _spectrogram(mono: NDArray[np.float32]) -> str:
    from PIL import Image

    level = np.clip(1 + decibels(mono)[::-1] / RANGE_DB, 0, 1)
    place = level * (len(_RAMP) - 1)
    low = np.minimum(place.astype(np.int64), len(_RAMP) - 2)
    part = (place - low)[..., np.newaxis]
    colours = (_RAMP[low] * (1 - part) + _RAMP[low + 1] * part).round().astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(colours).resize((COLUMNS, ROWS), Image.Resampling.BOX).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
