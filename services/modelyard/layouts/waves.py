"""Sounds as float32 in -1 … 1: one channel, one rate, one length."""

import io
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from modelyard.layouts.files import File
from modelyard.layouts.heads import UnusableError
from modelyard.layouts.sounds import Sound, sound_length

MARGIN = 64
"""Samples behind the end that the filter of a resampler looks at."""


def decode(data: bytes, rate: int, samples: int) -> NDArray[np.float32]:
    """The first `samples` at `rate` a second of a WAV, FLAC or OGG file; what is missing at the end is silence.

    Only as much of the file is decoded as is needed. Raises ValueError for what is no sound.
    """
    import soundfile

    from modelyard.layouts.recordings import UNKNOWN, Recording

    try:
        with Recording(io.BytesIO(data)) as file:
            claimed, own_rate = max(file.frames, 0), int(file.samplerate)
            needed = -(-samples * own_rate // rate) + (MARGIN if own_rate != rate else 0)
            channels = file.read(min(needed, claimed), "float32", always_2d=True)
            # A compressed WAV has less than libsndfile claims; its header has told whether it is cut off.
            is_cut_off = file.format != "WAV" and claimed < UNKNOWN and len(channels) < min(needed, claimed)
    except soundfile.LibsndfileError as error:
        raise ValueError(str(error.error_string)) from error
    if not len(channels):
        raise ValueError("it holds no sound")
    if is_cut_off:
        raise ValueError(f"it is cut off: {claimed:,} samples are claimed, {len(channels):,} are there")
    if wrong := not_finite(channels, own_rate):
        raise ValueError(f"it holds {wrong}")
    mono = channels[:, 0] if channels.shape[1] == 1 else channels.mean(1, dtype=np.float32)
    if own_rate != rate:
        mono = resample(mono, own_rate, rate)
    out = np.zeros(samples, np.float32)
    out[: len(mono)] = mono[:samples]
    return np.clip(out, -1.0, 1.0, out=out)


def measured(file: File) -> Sound:
    """What the header says of a sound; one whose header does not say how long it is, such as a FLAC that was written
    to a pipe, is decoded to its end. Raises UnusableError."""
    sound = sound_length(file)
    if sound.samples:
        return sound
    import soundfile

    from modelyard.layouts.recordings import Recording

    try:
        with file.open() as opened, Recording(opened) as recording:
            samples, rate = sum(map(len, recording.forward())), int(recording.samplerate)
    except soundfile.LibsndfileError as error:
        raise UnusableError(f"does not decode: {str(error.error_string).strip().rstrip('.')}") from error
    if not samples:
        raise UnusableError("holds no sound")
    return replace(sound, samples=samples * sound.rate // rate)


def not_finite(samples: NDArray[np.float32], rate: int, before: int = 0) -> str:
    """What is wrong with samples [n] or [n, channels], of which files of floats may have any; "" where all are numbers.

    `before` is how many came before these."""
    good = np.isfinite(samples)
    if good.all():
        return ""
    first = before + int(np.flatnonzero(~good.reshape(len(samples), -1).all(1))[0])
    return f"samples that are no numbers (NaN or infinite), the first after {first / rate:.2f} s"


def resample(mono: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    """At another rate: FFmpeg's windowed sinc, which filters out what the new rate cannot hold."""
    import av

    resampler = av.AudioResampler(format="fltp", layout="mono", rate=wanted)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(mono[np.newaxis]), format="fltp", layout="mono")
    frame.sample_rate = rate
    parts = [part.to_ndarray()[0] for given in (frame, None) for part in resampler.resample(given)]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)
