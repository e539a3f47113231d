"""WAV files."""

import struct


def to_wav(samples: bytes, rate: int) -> bytes:
    """The file of samples of 16 bits in one channel."""
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    data = struct.pack("<4sI", b"data", len(samples)) + samples
    return struct.pack("<4sI4s", b"RIFF", 4 + len(head) + len(data), b"WAVE") + head + data
