"""Encoded files that are examples."""

import io
from collections import Counter
from dataclasses import dataclass
from typing import BinaryIO

from modelyard.layouts import names
from modelyard.templates.profile.portions import Portion

LISTED = 5
_ENDINGS = {**names.IMAGES, **names.SOUNDS, **names.VIDEOS}
_EQUAL = {"jpg": "jpeg", "mkv": "webm", "mov": "mp4", "m4v": "mp4", "oga": "ogg", "opus": "ogg"}


@dataclass(frozen=True, slots=True)
class Bytes:
    """A modelyard.layouts File that is in memory."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, offset: int, length: int) -> bytes:
        return self.data[offset : offset + length]

    def open(self) -> BinaryIO:
        return io.BytesIO(self.data)


class Misnamed:
    """Files that are of another kind than their names say; they decode all the same."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[str] = []
        self._kinds: Counter[tuple[str, str]] = Counter()

    def look(self, portion: Portion, row: int, encoding: str) -> None:
        """Whether the example's file is named as what it is."""
        path = portion.origin(row)
        said = _ENDINGS.get(names.suffix(path))
        if said is None or _EQUAL.get(said, said) == _EQUAL.get(encoding, encoding):
            return
        self.count += 1
        if len(self.first) < LISTED:
            self.first.append(f"{path} is {encoding.upper()}")
