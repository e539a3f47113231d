"""Sizes and lengths of videos, as far as their headers say them before anything is decoded.

Sources: ISO/IEC 14496-12 (MP4) §4.2, §6.2.2, §8.2–8.7; the GIF89a specification §18–26.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from modelyard.layouts.files import File
from modelyard.layouts.heads import Head, UnusableError
from modelyard.layouts.matroska import picture_size
from modelyard.layouts.pictures import check_pixels

MAX_GIF_PIXELS = 1 << 30
"""Of all frames together: 3 GiB in RGB."""
MAX_PIXELS = 1 << 36
"""Of all frames together; full HD for 18 minutes."""
_MAX_GIF_BYTES = 64 << 20
_MAX_BOXES = 10_000
_GIFS = (b"GIF87a", b"GIF89a")
_EBML = b"\x1aE\xdf\xa3"
_MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide")


@dataclass(frozen=True, slots=True)
class Video:
    encoding: str
    frames: int
    """0 where the header does not say."""
    height: int
    """As it is shown: a phone held upright writes its frames lying, and how they are to be turned."""
    width: int


Turn = tuple[int, int, int, int]
"""a, b, c, d: what is at (x, y), y downwards, is shown at (a x + c y, b x + d y), moved to where all is seen. Only
whether sides change places and which way they go is taken of it."""
UNTURNED: Turn = (1, 0, 0, 1)


def changes_sides(turn: Turn) -> bool:
    """Whether height is shown as width: a turn by more than 45 and less than 135 degrees, either way."""
    a, b, *_ = turn
    return abs(b) > abs(a)


def video_size(file: File) -> Video:
    """Raises UnusableError."""
    head = Head(file)
    if head.begins_with(*_GIFS):
        width, height = head.unpack("<HH", 6)
        video = Video("gif", count_gif_frames(file), height, width)
    elif head.begins_with(_EBML):
        video = Video("webm", 0, *picture_size(head))
    elif file.size >= 8 and head.at(4, 4) in _MP4_BOXES:
        video = _mp4(head)
    elif not file.size:
        raise UnusableError("is empty")
    else:
        raise UnusableError(f"begins with {head.shown}; it is no MP4, WebM or GIF video")
    check_pixels(video.height, video.width)
    most = MAX_GIF_PIXELS if video.encoding == "gif" else MAX_PIXELS
    pixels = video.frames * video.height * video.width
    if pixels > most:
        raise UnusableError(
            f"has {video.frames:,} frames of {video.width:,} × {video.height:,} pixels, which unpack to "
            f"{pixels * 3 / 2**30:,.0f} GiB; at most {most * 3 >> 30} GiB are decoded"
        )
    return video


def count_gif_frames(file: File, enough: int = 1 << 20) -> int:
    """How many pictures a GIF has; counting ends when there are enough. Raises UnusableError where it is cut off."""
    data = file.read(0, _MAX_GIF_BYTES)
    frames = 0
    try:
        at = 13 + _colours(data[10])
        while frames < enough:
            kind = data[at]
            if kind == 0x3B:
                break
            if kind == 0x2C:
                frames += 1
                at += 11 + _colours(data[at + 9])
            elif kind == 0x21:
                at += 2
            else:
                raise UnusableError(f"is a damaged GIF: byte {at:,} begins no block")
            while data[at]:
                at += data[at] + 1
            at += 1
    except IndexError:
        if len(data) == _MAX_GIF_BYTES:
            return frames
        raise UnusableError(f"is cut off: a GIF that ends inside its frame {max(1, frames):,}") from None
    if not frames:
        raise UnusableError("is a GIF without a picture")
    return frames


def _colours(flags: int) -> int:
    """Bytes of the table of colours."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _mp4(head: Head) -> Video:
    for kind, start, end in _boxes(head, 0, head.file.size):
        if kind != b"moov":
            continue
        movie = UNTURNED
        for part, inside, until in _boxes(head, start, end):
            if part == b"mvhd":
                movie = _turn(head, inside, (36, 48))
            if part == b"trak" and (video := _video_track(head, inside, until, movie)):
                return video
        raise UnusableError("is an MP4 file without a video track")
    raise UnusableError("is cut off: an MP4 without its index (moov)")


def _video_track(head: Head, start: int, end: int, movie: Turn) -> Video | None:
    boxes: dict[bytes, int] = {}
    for kind, inside in _inside(head, start, end, (b"mdia", b"minf", b"stbl")):
        # The first hdlr is the track's; QuickTime has one more in minf.
        boxes.setdefault(kind, inside)
    if b"hdlr" not in boxes or head.at(boxes[b"hdlr"] + 8, 4) != b"vide":
        return None
    height = width = frames = 0
    if b"stsd" in boxes:
        width, height = head.unpack(">HH", boxes[b"stsd"] + 8 + 32)
    if b"stsz" in boxes:
        (frames,) = head.unpack(">I", boxes[b"stsz"] + 8)
    if b"tkhd" in boxes and changes_sides(_both(_turn(head, boxes[b"tkhd"], (40, 52)), movie)):
        height, width = width, height
    return Video("mp4", frames, height, width)


def _turn(head: Head, start: int, places: tuple[int, int]) -> Turn:
    """The matrix of a tkhd or mvhd, at one of two places: dates are longer in version 1."""
    a, b, _, c, d = head.unpack(">5i", start + places[head.at(start, 1)[0] == 1])
    return a, b, c, d


def _both(first: Turn, then: Turn) -> Turn:
    """One turn behind the other."""
    a, b, c, d = first
    e, f, g, h = then
    return a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h


def _inside(head: Head, start: int, end: int, path: tuple[bytes, ...]) -> Iterator[tuple[bytes, int]]:
    """Boxes, and those in the box that the path goes through; no deeper, whatever a file nests."""
    for kind, inside, until in _boxes(head, start, end):
        yield kind, inside
        if path and kind == path[0]:
            yield from _inside(head, inside, until, path[1:])


def _boxes(head: Head, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Each box's kind, where its content begins and where it ends."""
    for _ in range(_MAX_BOXES):
        if start + 8 > end:
            return
        size, kind = head.unpack(">I4s", start)
        inside = start + 8
        if size == 1:
            (size,) = head.unpack(">Q", inside)
            inside += 8
        until = end if size == 0 else start + size
        if until < inside or until > end:
            raise UnusableError(f"is cut off: its part {kind!r} ends at byte {until:,}, the file at {end:,}")
        yield kind, inside, until
        start = until
