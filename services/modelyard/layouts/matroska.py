"""The size of a WebM or Matroska video, as its headers say it.

Sources: RFC 8794 (EBML) §4–6; RFC 9559 (Matroska) §5.1.
"""

from collections.abc import Iterator

from modelyard.layouts.heads import Head, UnusableError

_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675
_TRACKS, _TRACK = 0x1654AE6B, 0xAE
_PICTURES, _WIDTH, _HEIGHT = 0xE0, 0xB0, 0xBA
_MAX_ELEMENTS = 256
"""At each level, far more than there are: reading headers takes no longer, whatever a file claims."""
_ID_BYTES, _SIZE_BYTES = 4, 8


def picture_size(head: Head) -> tuple[int, int]:
    """Height and width of the first track of pictures, 0 where it does not say; how many frames there are, no header
    says. Raises UnusableError."""
    for kind, start, end in _elements(head, 0, head.file.size):
        if kind == _SEGMENT:
            if end > head.file.size:
                raise UnusableError(f"is cut off: a WebM of {end:,} bytes, of which {head.file.size:,} are there")
            return _of_tracks(head, *_tracks(head, start, end))
    raise UnusableError("is cut off: a WebM without its segment")


def _tracks(head: Head, start: int, end: int) -> tuple[int, int]:
    """Where their description lies. It is before the first pictures, so that who plays the file need not seek."""
    for kind, inside, until in _elements(head, start, end):
        if kind == _TRACKS:
            return inside, until
        if kind == _CLUSTER:
            break
    raise UnusableError("is a damaged WebM: its tracks are not described before its pictures")


def _of_tracks(head: Head, start: int, end: int) -> tuple[int, int]:
    for track, inside, until in _elements(head, start, end):
        if track != _TRACK:
            continue
        for kind, first, last in _elements(head, inside, until):
            if kind == _PICTURES:
                sides = {side: _number(head, *at) for side, *at in _elements(head, first, last)}
                return sides.get(_HEIGHT, 0), sides.get(_WIDTH, 0)
    raise UnusableError("is a WebM file without a video track")


def _number(head: Head, start: int, end: int) -> int:
    """Unsigned, of as many bytes as there are; what has more than a number has is none of the sides."""
    return int.from_bytes(head.at(start, end - start), "big") if end - start <= _SIZE_BYTES else 0


def _elements(head: Head, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Each element's id, where its content begins and where it should end, which may be behind the file's end."""
    for _ in range(_MAX_ELEMENTS):
        if start >= end:
            return
        kind, at = _varied(head, start, _ID_BYTES)
        size, inside = _varied(head, at, _SIZE_BYTES)
        bits = 7 * (inside - at)
        size -= 1 << bits
        # All ones: who wrote it did not know it yet, as of what is sent live.
        until = end if size == (1 << bits) - 1 else inside + size
        yield kind, inside, until
        start = until


def _varied(head: Head, at: int, most: int) -> tuple[int, int]:
    """A number whose first bit that is set says its length, that bit with it; and where it ends."""
    length = 9 - head.at(at, 1)[0].bit_length()
    if length > most:
        raise UnusableError(f"is a damaged WebM: byte {at:,} begins no element")
    return int.from_bytes(head.at(at, length), "big"), at + length
