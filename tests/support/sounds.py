"""Small sounds, made on the spot."""

import io
import random
import wave


def of_unknown_length(flac: bytes) -> bytes:
    """As an encoder writes a FLAC that can't go back in it, such as to a pipe (RFC 9639 §8.2): 36 bits are zero."""
    return flac[:21] + bytes([flac[21] & 0xF0, 0, 0, 0, 0]) + flac[26:]


def wav(samples: int = 800, *, rate: int = 8000, channels: int = 1, seed: int = 0) -> bytes:
    """Noise of 16 bits; the same seed gives the same bytes."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(random.Random(seed).randbytes(2 * samples * channels))
    return out.getvalue()
