"""A sound within a page: its spectrogram, and itself to be listened to."""

import base64
import io
import wave

import numpy as np
from numpy.typing import NDArray

from modelyard.job.columns import Column
from modelyard.layouts import waves
from modelyard.layouts.sounds import sound_length
from modelyard.templates.profile.spectrograms import spectrogram

LONGEST_S = 8.0
HIGHEST_RATE = 8_000
"""What is enough for speech: a report is stored with the job, and carries every sound that it shows."""


def shown(column: Column, row: int) -> dict[str, str]:
    """`image` and `sound`, data URIs of its beginning."""
    length = sound_length(column.file(row))
    rate = min(length.rate, HIGHEST_RATE)
    seconds = min(length.seconds or LONGEST_S, LONGEST_S)
    heard = waves.decode(column.read(row), rate, max(1, round(seconds * rate)))
    return {"image": spectrogram(heard), "sound": _data_uri(heard, rate)}


def _data_uri(mono: NDArray[np.float32], rate: int) -> str:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes((mono * 32767).round().astype("<i2").tobytes())
    return "data:audio/wav;base64," + base64.b64encode(file.getvalue()).decode()
