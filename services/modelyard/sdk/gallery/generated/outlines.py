"""Letters of TrueType fonts as outlines, in the font's own whole units.

Of the format this reads what upright Latin letters need: the tables head, maxp, hhea, hmtx, cmap, loca and glyf.
"""

import struct
from dataclasses import dataclass
from functools import cached_property

Point = tuple[int, int]
"""To the right and up."""

_ON_CURVE, _SHORT_X, _SHORT_Y, _REPEATED, _SAME_X, _SAME_Y = 1, 2, 4, 8, 16, 32
_PARTS = 4
"""Straight lines that stand for a curve."""


@dataclass(frozen=True, slots=True)
class Letter:
    """Closed lines, and how far it is to where the next letter begins."""

    outlines: tuple[tuple[Point, ...], ...]
    advance: int


class Font:
    """A TrueType file. Raises ValueError or struct.error if it holds something else."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        count = struct.unpack_from(">H", content, 4)[0]
        records = [struct.unpack_from(">4sIII", content, 12 + 16 * number) for number in range(count)]
        self._tables = {tag.decode("latin-1"): start for tag, _, start, _ in records}
        self._wide = self._at("head", ">h", 50) == 1
        self._metrics = self._at("hhea", ">H", 34)

    def letter(self, letter: str) -> Letter:
        """A letter by what it means."""
        glyph = self._glyphs[ord(letter)]
        metric = min(glyph, self._metrics - 1)
        return Letter(self._outlines(glyph), self._at("hmtx", ">H", 4 * metric))

    def _at(self, table: str, layout: str, offset: int) -> int:
        return int(struct.unpack_from(layout, self._content, self._tables[table] + offset)[0])

    @cached_property
    def _glyphs(self) -> dict[int, int]:
        """Code point -> number of the glyph; of the first encoding that has the basic Latin letters."""
        start = self._tables["cmap"]
        for number in range(self._at("cmap", ">H", 2)):
            found = self._encoding(start + self._at("cmap", ">I", 4 + 8 * number + 4))
            if ord("A") in found:
                return found
        raise ValueError("a font has no Latin letters")

    def _encoding(self, start: int) -> dict[int, int]:
        kind = struct.unpack_from(">H", self._content, start)[0]
        if kind == 0:
            return {code: glyph for code, glyph in enumerate(self._content[start + 6 : start + 262]) if glyph}
        if kind == 6:
            first, count = struct.unpack_from(">HH", self._content, start + 6)
            return dict(enumerate(struct.unpack_from(f">{count}H", self._content, start + 10), first))
        return self._segments(start) if kind == 4 else {}

    def _segments(self, start: int) -> dict[int, int]:
        count = struct.unpack_from(">H", self._content, start + 6)[0] // 2
        ends, starts, deltas, offsets = (
            struct.unpack_from(f">{count}H", self._content, start + 14 + 2 * count * part + 2 * (part > 0))
            for part in range(4)
        )
        found = {}
        for number in range(count):
            for code in range(starts[number], min(ends[number], 0x7F) + 1):
                if offsets[number]:
                    here = start + 16 + 6 * count + 2 * number
                    at = here + offsets[number] + 2 * (code - starts[number])
                    glyph = struct.unpack_from(">H", self._content, at)[0]
                else:
                    glyph = code
                found[code] = (glyph + deltas[number]) & 0xFFFF if glyph or not offsets[number] else 0
        return found

    def _outlines(self, glyph: int) -> tuple[tuple[Point, ...], ...]:
        if self._wide:
            start, end = (self._at("loca", ">I", 4 * each) for each in (glyph, glyph + 1))
        else:
            start, end = (2 * self._at("loca", ">H", 2 * each) for each in (glyph, glyph + 1))
        if start == end:
            return ()
        content = self._content[self._tables["glyf"] + start : self._tables["glyf"] + end]
        count = struct.unpack_from(">h", content)[0]
        if count < 0:
            raise ValueError("a letter is put together from others")
        lasts = struct.unpack_from(f">{count}H", content, 10)
        at = 10 + 2 * count
        at += 2 + struct.unpack_from(">H", content, at)[0]
        flags, at = _flags(content, at, lasts[-1] + 1)
        xs, at = _coordinates(content, at, flags, _SHORT_X, _SAME_X)
        ys, at = _coordinates(content, at, flags, _SHORT_Y, _SAME_Y)
        points = list(zip(xs, ys, (bool(flag & _ON_CURVE) for flag in flags), strict=True))
        firsts = [0, *(last + 1 for last in lasts[:-1])]
        return tuple(_flattened(points[first : last + 1]) for first, last in zip(firsts, lasts, strict=True))


def _flags(content: bytes, at: int, count: int) -> tuple[list[int], int]:
    flags: list[int] = []
    while len(flags) < count:
        flag, at = content[at], at + 1
        flags.append(flag)
        if flag & _REPEATED:
            flags += [flag] * content[at]
            at += 1
    return flags, at


def _coordinates(content: bytes, at: int, flags: list[int], short: int, same: int) -> tuple[list[int], int]:
    value, values = 0, []
    for flag in flags:
        if flag & short:
            value += content[at] if flag & same else -content[at]
            at += 1
        elif not flag & same:
            value += struct.unpack_from(">h", content, at)[0]
            at += 2
        values.append(value)
    return values, at


def _flattened(points: list[tuple[int, int, bool]]) -> tuple[Point, ...]:
    """The quadratic curves of an outline as straight lines; in quarters of units, so that halves stay whole."""
    whole: list[tuple[int, int, bool]] = []
    for (x, y, on), (next_x, next_y, next_on) in zip(points, [*points[1:], points[0]], strict=True):
        whole.append((4 * x, 4 * y, on))
        if not on and not next_on:
            whole.append((2 * (x + next_x), 2 * (y + next_y), True))
    first = next(number for number, (_, _, on) in enumerate(whole) if on)
    whole = [*whole[first:], *whole[: first + 1]]
    line: list[Point] = []
    for (x, y, on), previous, following in zip(whole[:-1], [whole[-1], *whole[:-2]], whole[1:], strict=True):
        if on:
            line.append((x, y))
            continue
        for part in range(1, _PARTS):
            rest = _PARTS - part
            line.append(
                tuple(  # type: ignore[arg-type]
                    (rest * rest * start + 2 * part * rest * control + part * part * end) // (_PARTS * _PARTS)
                    for start, control, end in zip(previous[:2], (x, y), following[:2], strict=True)
                )
            )
    return tuple(line)
