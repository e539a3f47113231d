"""Encoded images, sounds and videos in a request, looked at before anything is decoded: their headers say how large
they would become."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

from modelyard.api.serving.v1 import tensor_pb2 as pb
from modelyard.layouts.heads import UnusableError
from modelyard.layouts.pictures import image_shape
from modelyard.layouts.sounds import sound_length
from modelyard.layouts.videos import video_size
from modelyard.modelserver.errors import InvalidRequest
from modelyard.modelserver.servable import Array, TensorSpec

DESCRIPTION_FILE = "modelyard.model.json"
MAX_DESCRIPTION_BYTES = 16 << 20


class Meaning(NamedTuple):
    """What the model says of an input."""

    kind: str = ""
    sample_rate: int = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """A file in a request."""

    content: bytes

    @property
    def size(self) -> int:
        return len(self.content)

    def read(self, offset: int, length: int) -> bytes:
        return self.content[offset : offset + length]

    def open(self) -> BinaryIO:
        return BytesIO(self.content)


def meanings(folder: Path) -> Mapping[str, Meaning]:
    """What the inputs of a model stand for, by name; nothing for one that does not say it."""
    path = folder / DESCRIPTION_FILE
    if not path.is_file() or path.stat().st_size > MAX_DESCRIPTION_BYTES:
        return {}
    try:
        described = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        # The gates have let it pass; a model that is served by hand may have any file of that name.
        return {}
    inputs = described.get("inputs") if isinstance(described, dict) else None
    if not isinstance(inputs, dict):
        return {}
    form = described.get("audio")
    rate = form.get("sample_rate") if isinstance(form, dict) else 0
    return {
        name: Meaning(kind, rate if kind == "audio" and isinstance(rate, int) else 0)
        for name, kind in inputs.items()
        if isinstance(kind, str)
    }


def check(key: str, spec: TensorSpec, array: Array) -> None:
    """Raises InvalidRequest for a file that is not of the kind or too large to be decoded."""
    if spec.dtype != pb.DT_STRING or spec.kind not in ("image", "audio", "video"):
        return
    for number, content in enumerate(array.flat):
        try:
            _look(spec, Sent(content))
        except UnusableError as error:
            raise InvalidRequest(f'input "{key}": example {number} {error}', field=f"inputs.{key}") from None


def _look(spec: TensorSpec, file: Sent) -> None:
    if spec.kind == "image":
        encoding, _ = image_shape(file)
        if encoding == "gif":
            # All its frames are unpacked, whichever of them is used.
            video_size(file)
    elif spec.kind == "video":
        video_size(file)
    else:
        sound = sound_length(file)
        if spec.sample_rate and (sound.rate, sound.channels) != (spec.sample_rate, 1):
            raise UnusableError(
                f"has {sound.rate:,} samples a second in {sound.channels} channel(s); the model takes "
                f"{spec.sample_rate:,} in one"
            )
