"""The first bytes of an encoded file, read on as far as its header goes."""

import struct
from dataclasses import dataclass, field
from typing import Any

from modelyard.layouts.files import File

HEAD_BYTES = 1024
"""As much of a file is read at once; the header of most ends in it."""


class UnusableError(Exception):
    """Why a file is no example; the text goes on where a sentence begins with the file's path."""


@dataclass
class Head:
    """Reads from a file's beginning; what lies behind its first bytes is fetched when it is asked for."""

    file: File
    _first: bytes = field(init=False)

    def __post_init__(self) -> None:
        self._first = self.file.read(0, HEAD_BYTES)

    def at(self, offset: int, length: int) -> bytes:
        """Exactly these bytes. Raises UnusableError where the file ends before."""
        end = offset + length
        data = self._first[offset:end] if end <= len(self._first) else self.file.read(offset, length)
        if len(data) < length:
            raise UnusableError(f"ends after {self.file.size:,} bytes, inside its header")
        return data

    def begins_with(self, *signatures: bytes) -> bool:
        """Whether the first bytes are one of these."""
        return self._first.startswith(signatures)

    def unpack(self, layout: str, offset: int) -> tuple[Any, ...]:
        """`struct.unpack` at an offset."""
        return struct.unpack(layout, self.at(offset, struct.calcsize(layout)))

    @property
    def shown(self) -> str:
        """The first bytes, for messages."""
        return repr(self._first[:8]).removeprefix("b") if self._first else "nothing"
