"""Files that are examples by themselves: images, sounds, videos and texts."""

import codecs
from collections.abc import Mapping

from modelyard.layouts import names
from modelyard.layouts.files import File, Range
from modelyard.layouts.heads import UnusableError
from modelyard.layouts.pictures import image_shape
from modelyard.layouts.sounds import sound_length
from modelyard.layouts.text_files import HEAD_BYTES, why_no_text
from modelyard.layouts.videos import video_size

SUFFIXES: Mapping[str, Mapping[str, str]] = {
    "image": names.IMAGES,
    "audio": names.SOUNDS,
    "video": names.VIDEOS,
    "text": names.TEXTS,
}
"""By kind: ending -> encoding."""
MAX_TEXT_BYTES = 16 << 20
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def is_kind(kind: str, path: str) -> bool:
    """Whether the file's name is one of this kind."""
    return names.suffix(path) in SUFFIXES[kind]


def look(kind: str, file: File) -> tuple[str, tuple[int | None, ...]]:
    """The file's encoding, and an image's height, width and channels; headers only, nothing is decoded.

    Raises UnusableError for a file that is no example of this kind. It is the same for the same bytes wherever it runs,
    so who describes a dataset and who reads it leave out the same files.
    """
    if kind == "image":
        return image_shape(file)
    if kind == "audio":
        return sound_length(file).encoding, ()
    if kind == "video":
        return video_size(file).encoding, ()
    read_text(file)
    return "text", ()


def merged(one: tuple[int | None, ...], other: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """The same sizes where they are the same, None where they differ."""
    return one if one == other else tuple(a if a == b else None for a, b in zip(one, other, strict=True))


def read_text(file: File) -> bytes:
    """A whole text in UTF-8 without a byte order mark. Raises UnusableError."""
    if not file.size:
        raise UnusableError("is empty")
    if file.size > MAX_TEXT_BYTES:
        raise UnusableError(f"has {file.size:,} bytes; a text has at most {MAX_TEXT_BYTES:,}")
    data = file.read(0, file.size)
    problem = why_no_text(data[:HEAD_BYTES])
    if problem:
        raise UnusableError(problem)
    try:
        if data.startswith(UTF16):
            return data.decode("utf-16").encode()
        data.decode()
    except UnicodeDecodeError as error:
        raise UnusableError(_wrong_byte(data, error)) from None
    return data.removeprefix(codecs.BOM_UTF8)


def text_place(path: str, file: File, text: bytes) -> Range | None:
    """Where `text` lies as it is in the file; None where it had to be converted."""
    if file.size - len(text) in (0, len(codecs.BOM_UTF8)) and not file.read(0, 2).startswith(UTF16):
        return Range(path, file.size - len(text), len(text))
    return None


def _wrong_byte(data: bytes, error: UnicodeDecodeError) -> str:
    if data.startswith(UTF16):
        return f"is no UTF-16: byte 0x{data[error.start]:02x} at {error.start:,}; save it as UTF-8"
    line = data.count(b"\n", 0, error.start) + 1
    return (
        f"is no UTF-8: byte 0x{data[error.start]:02x} at {error.start:,}, in line {line:,}; "
        "convert it, such as with iconv -f WINDOWS-1252 -t UTF-8"
    )
