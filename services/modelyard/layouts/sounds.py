"""Lengths of sounds, read from their headers before anything is decoded.

Sources: Microsoft's RIFF WAVE, and its mmreg.h for what it calls compressed formats; RFC 9639 (FLAC) §8.2;
RFC 3533 (Ogg) §6; Vorbis I §4.2.2; RFC 7845 (Opus in Ogg) §5.1.
"""

from dataclasses import dataclass

from modelyard.layouts.files import File
from modelyard.layouts.heads import Head, UnusableError

MAX_SAMPLES = 1 << 28
"""Over all channels; more are not decoded: 1 GiB of floats, 1.7 hours at 44.1 kHz."""
_TAIL_BYTES = 1 << 16
_MAX_CHUNKS = 256
_OPEN_END = (0, 0xFFFFFFFF)
"""Written as the size by programs that do not know it yet."""
_PLAIN = (1, 3, 6, 7)
"""PCM, floats, A-law and µ-law: a block is one sample of each channel."""
_BLOCKED = (2, 0x11, 0x31)
"""ADPCM as Microsoft and as IMA have it, and GSM 6.10: they say how many samples a block unpacks to."""
_EXTENSIBLE = 0xFFFE


@dataclass(frozen=True, slots=True)
class Sound:
    encoding: str
    samples: int
    """Of one channel; 0 where the header does not say."""
    rate: int
    """Samples a second."""
    channels: int

    @property
    def seconds(self) -> float:
        return self.samples / self.rate


def sound_length(file: File) -> Sound:
    """Raises UnusableError."""
    head = Head(file)
    if head.begins_with(b"RIFF", b"RF64"):
        sound = _wav(head)
    elif head.begins_with(b"fLaC"):
        sound = _flac(head)
    elif head.begins_with(b"OggS"):
        sound = _ogg(head)
    elif not file.size:
        raise UnusableError("is empty")
    else:
        raise UnusableError(f"begins with {head.shown}; it is no WAV, FLAC or OGG sound")
    if not sound.rate or not sound.channels:
        raise UnusableError(f"claims to have {sound.channels} channels of {sound.rate} samples a second")
    if sound.samples * sound.channels > MAX_SAMPLES:
        raise UnusableError(
            f"is {_duration(sound.seconds)} long, {sound.samples:,} samples in {sound.channels} channel(s); at most "
            f"{MAX_SAMPLES:,} are decoded, so cut it into pieces"
        )
    return sound


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.1f} minutes"


def _wav(head: Head) -> Sound:
    if head.at(8, 4) != b"WAVE":
        raise UnusableError(f"is RIFF of the kind {head.at(8, 4)!r}, no WAV sound")
    at, form, said, wide = 12, None, 0, 0
    for _ in range(_MAX_CHUNKS):
        kind, size = head.unpack("<4sI", at)
        at += 8
        if kind == b"ds64":
            (wide,) = head.unpack("<Q", at + 8)
        elif kind == b"fmt ":
            form = _wav_form(head, at, size)
        elif kind == b"fact":
            (said,) = head.unpack("<I", at)
        elif kind == b"data":
            if form is None:
                break
            there = head.file.size - at
            size = wide if size == 0xFFFFFFFF and wide else there if size in _OPEN_END else size
            if size > there:
                raise UnusableError(f"is cut off: its header speaks of {size:,} bytes of sound, {there:,} are there")
            if not form.block or not size // form.block:
                raise UnusableError("holds no sound")
            return Sound("wav", form.samples(size, said), form.rate, form.channels)
        at += size + size % 2
    raise UnusableError("is a damaged WAV: it has no format before its sound")


@dataclass(frozen=True, slots=True)
class _WavForm:
    """The chunk `fmt `."""

    channels: int
    rate: int
    block: int
    """Bytes."""
    unpacked: int
    """Samples of one channel that a block becomes; 0 where it does not say."""

    def samples(self, size: int, said: int) -> int:
        """Of one channel, in `size` bytes of which the chunk `fact` says that they are so many; 0 where nothing says.

        It says where in the last block they end; what else it says is not true: libsndfile divides by the channels
        once too often, others leave it as it was before there was any sound.
        """
        if not self.unpacked:
            return 0 if said in _OPEN_END else said
        blocks = size // self.block
        ends_there = (blocks - 1) * self.unpacked < said <= -(-size // self.block) * self.unpacked
        return said if ends_there and self.unpacked > 1 else blocks * self.unpacked


def _wav_form(head: Head, at: int, size: int) -> _WavForm:
    tag, channels, rate, _, block, _ = head.unpack("<HHIIHH", at)
    if tag == _EXTENSIBLE and size >= 26:
        (tag,) = head.unpack("<H", at + 24)
    unpacked = 1 if tag in _PLAIN else 0
    if tag in _BLOCKED and size >= 20:
        (unpacked,) = head.unpack("<H", at + 18)
    return _WavForm(channels, rate, block, unpacked)


def _flac(head: Head) -> Sound:
    kind, *_ = head.at(4, 1)
    if kind & 0x7F:
        raise UnusableError("is a damaged FLAC: it does not begin with its STREAMINFO")
    bits = int.from_bytes(head.at(18, 8), "big")
    return Sound("flac", bits & (1 << 36) - 1, bits >> 44, (bits >> 41 & 7) + 1)


def _ogg(head: Head) -> Sound:
    segments = head.at(26, 1)[0]
    body = 27 + segments
    magic = head.at(body, 8)
    if magic.startswith(b"\x01vorbis"):
        channels, rate = head.unpack("<BI", body + 11)
        skipped = 0
    elif magic == b"OpusHead":
        channels, skipped = head.unpack("<BH", body + 9)
        rate = 48_000
    elif magic.startswith(b"\x7fFLAC"):
        bits = int.from_bytes(head.at(body + 27, 8), "big")
        return Sound("ogg", bits & (1 << 36) - 1, bits >> 44, (bits >> 41 & 7) + 1)
    else:
        raise UnusableError("is an OGG file, but of no Vorbis, Opus or FLAC sound")
    start = max(0, head.file.size - _TAIL_BYTES)
    tail = head.file.read(start, _TAIL_BYTES)
    page = tail.rfind(b"OggS")
    granule = int.from_bytes(tail[page + 6 : page + 14], "little", signed=True) if page >= 0 else -1
    return Sound("ogg", max(0, granule - skipped), rate, channels)
