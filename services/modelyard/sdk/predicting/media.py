"""Images, sounds and videos as a model takes them: their bytes, or decoded where it takes pixels or samples.

Sizes are read from headers before anything is decoded.
"""

import io
import wave
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelyard.layouts.heads import UnusableError
from modelyard.layouts.pictures import image_shape
from modelyard.layouts.sounds import Sound, sound_length
from modelyard.layouts.videos import video_size
from modelyard.sdk.errors import InvalidArgument
from modelyard.sdk.folder import Source
from modelyard.sdk.predicting.model import Input

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_FILE_BYTES = 60 << 20
"""What fits into one request."""
FORMS = {
    "image": "a PNG, JPEG, WebP, GIF or BMP file",
    "audio": "a WAV, FLAC or OGG file",
    "video": "an MP4, WebM or GIF file",
}
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}

Content = tuple[tuple[int, ...], bytes, str]
"""Shape of what was decoded (() for the file's own bytes), bytes, and a note."""


def content(wanted: Input, value: str | Path | bytes, base: Path | None) -> Content:
    """What the input gets of a file; raises InvalidArgument with its name and the input's."""
    source, name = _opened(wanted, value, base)
    try:
        if wanted.kind == "image":
            return _image(wanted, source, name)
        if wanted.kind == "audio":
            return _sound(wanted, source, name)
        return _video(wanted, source, name)
    except UnusableError as error:
        raise _unusable(wanted, name, str(error)) from error


def read(wanted: Input, path: Path) -> bytes:
    """A file's bytes; raises InvalidArgument."""
    return _opened(wanted, path, None)[0].read(0, MAX_FILE_BYTES)


def _opened(wanted: Input, value: str | Path | bytes, base: Path | None) -> tuple[Source, str]:
    if isinstance(value, bytes):
        return Source(len(value), content=value), "the file"
    path = Path(value)
    path = base / path if base is not None else path
    try:
        if not path.is_file():
            raise _unusable(wanted, str(path), "is no file", "FILE_UNREADABLE")
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise _unusable(wanted, str(path), f"can't be read: {why}", "FILE_UNREADABLE") from error
    if size > MAX_FILE_BYTES:
        raise _unusable(wanted, str(path), f"has {size:,} bytes; {MAX_FILE_BYTES:,} fit into a request")
    return Source(size, path), str(path)


def _image(wanted: Input, source: Source, name: str) -> Content:
    encoding, (height, width, _) = image_shape(source)
    if encoding == "gif":
        video_size(source)
    if wanted.dtype == "string":
        return (), source.read(0, source.size), ""
    row = wanted.row_shape
    if wanted.dtype != "uint8" or row is None or len(row) != 3 or row[2] not in _MODES:
        raise _unusable(wanted, name, f"is an image; the model takes {_form(wanted)}, so give it with --input")
    if any(size not in (-1, have) for size, have in zip(row, (height, width), strict=False)):
        raise _unusable(wanted, name, f"is {width} × {height} pixels; the model takes {row[1]} × {row[0]}")
    _check_unpacked(wanted, name, height * width * row[2])
    from PIL import Image

    try:
        with Image.open(io.BytesIO(source.read(0, source.size))) as image:
            shown = _of_one_byte(image) if row[2] == 4 else _on_white(_of_one_byte(image))
            return (height, width, row[2]), shown.convert(_MODES[row[2]]).tobytes(), ""
    except (OSError, SyntaxError, ValueError) as error:
        raise _unusable(wanted, name, f"can't be decoded: {error}") from error


def _check_unpacked(wanted: Input, name: str, size: int) -> None:
    if size > MAX_FILE_BYTES:
        raise _unusable(wanted, name, f"unpacks to {size:,} bytes; {MAX_FILE_BYTES:,} fit into a request")


def _of_one_byte(image: Any) -> Any:
    """Of grey with two bytes a pixel the higher one, as TensorFlow decodes it; Pillow makes most of it white."""
    return image.point(lambda value: value / 256).convert("L") if image.mode.startswith("I;16") else image


def _on_white(image: Any) -> Any:
    """What is transparent shows white, as where models learn and where they decode."""
    from PIL import Image

    if not image.has_transparency_data:
        return image
    coloured = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), coloured)


def _sound(wanted: Input, source: Source, name: str) -> Content:
    sound = sound_length(source)
    _check_rate(wanted, sound, name)
    data = _with_its_length(source.read(0, source.size))
    source = Source(len(data), content=data)
    if wanted.dtype == "string":
        return (), data if _is_plain_wav(data) else _as_wav(wanted, source, name), ""
    row = wanted.row_shape
    if wanted.dtype != "float32" or row is None or len(row) != 1:
        raise _unusable(wanted, name, f"is a sound; the model takes {_form(wanted)}, so give it with --input")
    sound, array = _decoded(wanted, source, name, row[0])
    seconds = len(array) / sound.rate
    cut = f"of {name}, {sound.seconds:.1f} s long, the first {seconds:.1f} s are used"
    return array.shape, array.tobytes(), cut if sound.samples > len(array) else ""


def _decoded(wanted: Input, source: Source, name: str, samples: int) -> "tuple[Sound, NDArray[np.float32]]":
    """So many at the sound's own rate, -1 for all of them; and how long it is."""
    try:
        from modelyard.layouts import waves

        sound = waves.measured(source)
        samples = sound.samples if samples < 0 else samples
        _check_unpacked(wanted, name, samples * (2 if wanted.dtype == "string" else 4))
        return sound, waves.decode(source.read(0, source.size), sound.rate, samples)
    except ImportError:
        raise _no_decoder(wanted, "soundfile") from None
    except ValueError as error:
        raise _unusable(wanted, name, f"can't be decoded: {error}") from error


def _with_its_length(data: bytes) -> bytes:
    """Of a WAV that was written to a pipe, whose header does not say how long it is, the same with its length."""
    if not data.startswith(b"RIFF"):
        return data
    at = _chunk(b"data", data)
    if 0 < int.from_bytes(data[at - 4 : at], "little") <= len(data) - at:
        return data
    whole, sound = (size.to_bytes(4, "little") for size in (len(data) - 8, len(data) - at))
    return b"RIFF" + whole + data[8 : at - 4] + sound + data[at:]


def _chunk(kind: bytes, data: bytes) -> int:
    """Where in a WAV the content of this chunk begins."""
    at = 12
    while data[at : at + 4] not in (kind, b""):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + size + size % 2
    return at + 8


def _is_plain_wav(data: bytes) -> bool:
    """Whether a graph of TensorFlow can decode it: 16 bits a sample, and of WAVE_FORMAT_PCM."""
    try:
        with wave.open(io.BytesIO(data)) as file:
            form = _chunk(b"fmt ", data)
            return bool(file.getsampwidth() == 2) and data[form : form + 2] == b"\x01\x00"
    except (wave.Error, EOFError):
        return False


def _as_wav(wanted: Input, source: Source, name: str) -> bytes:
    """A FLAC or OGG file, or a WAV of another sample size, as a WAV of 16 bits, of the rate that its header says: Opus
    is decoded at another one."""
    sound, array = _decoded(wanted, source, name, -1)
    import soundfile

    out = io.BytesIO()
    soundfile.write(out, array, sound.rate, format="WAV", subtype="PCM_16")
    return out.getvalue()


def _check_rate(wanted: Input, sound: Sound, name: str) -> None:
    if sound.channels == 1 and wanted.sample_rate in (0, sound.rate):
        return
    channels = "one channel" if sound.channels == 1 else f"{sound.channels} channels"
    rate = wanted.sample_rate or sound.rate
    taken = f"{wanted.sample_rate:,} in one channel" if wanted.sample_rate else "one channel"
    raise _unusable(
        wanted,
        name,
        f"has {sound.rate:,} samples a second in {channels}; the model takes {taken}, so convert it, such as with "
        f"ffmpeg -i {name} -ac 1 -ar {rate} converted.wav",
        "AUDIO_RATE",
    )


def _video(wanted: Input, source: Source, name: str) -> Content:
    video = video_size(source)
    data = source.read(0, source.size)
    if wanted.dtype == "string":
        return (), data, ""
    row = wanted.row_shape
    if wanted.dtype != "uint8" or row is None or len(row) != 4 or row[3] != 3 or row[0] < 1:
        raise _unusable(wanted, name, f"is a video; the model takes {_form(wanted)}, so give it with --input")
    try:
        from modelyard.layouts import clips

        height, width = row[1:3] if row[1] > 0 and row[2] > 0 else (video.height, video.width)
        _check_unpacked(wanted, name, row[0] * height * width * 3)
        return (row[0], height, width, 3), clips.decode(data, row[0], height, width).tobytes(), ""
    except ImportError:
        raise _no_decoder(wanted, "av") from None
    except ValueError as error:
        raise _unusable(wanted, name, f"can't be decoded: {error}") from error


def _form(wanted: Input) -> str:
    row: Any = "any shape" if wanted.row_shape is None else list(wanted.row_shape)
    return f"{wanted.dtype} {row}"


def _unusable(wanted: Input, name: str, problem: str, reason: str = "") -> InvalidArgument:
    reason = reason or f"{wanted.kind.upper()}_UNUSABLE"
    return InvalidArgument(f"{wanted.name}: {name} {problem}", reason=reason, field=wanted.name)


def _no_decoder(wanted: Input, package: str) -> InvalidArgument:
    return InvalidArgument(
        f"{wanted.name}: decoding a file of {wanted.kind} needs {package}; pip install 'modelyard[media]'",
        reason="DECODER_MISSING",
        field=wanted.name,
    )
