"""The report's two pictures as inline SVG. Colours come from the page's style sheet, text is escaped here."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

MATRIX_CLASSES = 100
"""With more there is no matrix: a cell would be smaller than a pixel of a phone."""
NUMBERED_CLASSES = 20
"""With more the cells have no numbers in them, only titles."""
NAMED_CLASSES = 50
NAME_LENGTH = 14
FEW = 100
"""A bin with less than one in so many examples has a small point: it says little."""

_SIDE = 300
_LEFT, _TOP = 40, 8
_HISTOGRAM = 56


def reliability(bins: Sequence[Mapping[str, Any]], title: str) -> str:
    """Accuracy over probability, a point a bin that has examples; below it how many examples each has."""
    right, bottom = _LEFT + _SIDE, _TOP + _SIDE
    parts = [_axes()]
    parts.append(f'<path class="ideal" d="M{_LEFT} {bottom}L{right} {_TOP}"/>')
    most = max((each["count"] for each in bins), default=0) or 1
    examples = sum(each["count"] for each in bins)
    points = []
    floor = bottom + 14 + _HISTOGRAM
    for each in bins:
        low, high = (_LEFT + _SIDE * each[end] for end in ("low", "high"))
        height = _HISTOGRAM * each["count"] / most
        says = (
            f"{each['count']:,} examples with a probability of {each['low']:.2f} to {each['high']:.2f}: "
            f"{each['confidence']:.3f} on average, {each['accuracy']:.3f} right"
        )
        if not each["count"]:
            continue
        parts.append(
            f'<rect class="bar" x="{low + 0.5:.1f}" y="{floor - height:.1f}" width="{high - low - 1:.1f}" '
            f'height="{height:.1f}"><title>{says}</title></rect>'
        )
        x, y = _LEFT + _SIDE * each["confidence"], bottom - _SIDE * each["accuracy"]
        ideal = bottom - _SIDE * each["confidence"]
        parts.append(f'<path class="gap" d="M{x:.1f} {ideal:.1f}V{y:.1f}"/>')
        points.append((x, y, 4 if each["count"] * FEW >= examples else 2, says))
    parts.append('<polyline class="curve" points="' + " ".join(f"{x:.1f},{y:.1f}" for x, y, *_ in points) + '"/>')
    parts += [
        f'<circle class="point" cx="{x:.1f}" cy="{y:.1f}" r="{radius}"><title>{says}</title></circle>'
        for x, y, radius, says in points
    ]
    parts.append(f'<path class="axis" d="M{_LEFT} {floor}H{right}"/>')
    parts += [words(_LEFT + _SIDE * at, floor + 14, f"{at:g}", "middle") for at in (0, 0.25, 0.5, 0.75, 1)]
    parts.append(words(_LEFT + _SIDE / 2, floor + 30, "probability of the answer", "middle"))
    return drawing("reliability", right + 10, floor + 38, title, "".join(parts))


def _axes() -> str:
    right, bottom = _LEFT + _SIDE, _TOP + _SIDE
    lines = "".join(
        f'<path class="grid" d="M{_LEFT} {bottom - _SIDE * at}H{right}"/>'
        + words(_LEFT - 6, bottom - _SIDE * at + 4, f"{at:g}", "end")
        for at in (0, 0.25, 0.5, 0.75, 1)
    )
    middle = _TOP + _SIDE / 2
    label = f'<text class="label" transform="translate(10 {middle}) rotate(-90)" text-anchor="middle">right</text>'
    return lines + label + f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}"/>'


def confusion(names: Sequence[str], cells: Sequence[Sequence[int]], title: str) -> str:
    """A row a true class, a column a predicted one; a cell is as strong as its share of the row."""
    count = len(names)
    cell = 34 if count <= NUMBERED_CLASSES else 14 if count <= NAMED_CLASSES else 8
    named = count <= NAMED_CLASSES
    margin = 24 + (8 + 6.5 * min(NAME_LENGTH, max(map(len, names)))) if named else 24
    end = margin + cell * count
    rows = [0] * count
    for true, _, number in cells:
        rows[true] += number
    parts = [f'<rect class="field" x="{margin}" y="{margin}" width="{cell * count}" height="{cell * count}"/>']
    for true, predicted, number in cells:
        share = number / rows[true]
        x, y = margin + cell * predicted, margin + cell * true
        says = f"{escape(names[true])} taken for {escape(names[predicted])}: {number:,} of {rows[true]:,} ({share:.1%})"
        kind = "hit" if true == predicted else "miss"
        # The square root keeps a few mistakes among thousands of right answers visible.
        parts.append(
            f'<rect class="{kind}" x="{x}" y="{y}" width="{cell}" height="{cell}" '
            f'fill-opacity="{max(0.2, math.sqrt(share)):.2f}"><title>{says}</title></rect>'
        )
        if count <= NUMBERED_CLASSES:
            parts.append(words(x + cell / 2, y + cell / 2 + 4, _short(number), "middle", "count"))
    lines = "".join(
        f"M{margin} {margin + cell * at}H{end}M{margin + cell * at} {margin}V{end}"
        for at in (range(count + 1) if count <= NUMBERED_CLASSES else (0, count))
    )
    parts.append(f'<path class="grid" d="{lines}"/>')
    if named:
        for number, name in enumerate(names):
            at = margin + cell * (number + 0.5)
            parts.append(words(margin - 5, at + 4, _cut(name), "end"))
            place = f'transform="translate({at + 4:g} {margin - 5:g}) rotate(-90)"'
            parts.append(f'<text class="label" {place}>{escape(_cut(name))}</text>')
    middle = margin + cell * count / 2
    parts.append(words(middle, 12, "predicted", "middle"))
    parts.append(
        f'<text class="label" transform="translate(12 {middle:g}) rotate(-90)" text-anchor="middle">true</text>'
    )
    return drawing("confusion", end + 2, end + 2, title, "".join(parts))


def drawing(name: str, width: float, height: float, title: str, content: str) -> str:
    """An SVG of these pixels; `content` is markup, `title` text."""
    # Drawn at its own size where there is room; on a phone it shrinks to half of that and then scrolls.
    return (
        f'<svg class="chart" role="img" aria-labelledby="{name}-title" viewBox="0 0 {width:g} {height:g}" '
        f'style="width:{width:g}px;min-width:{min(width, 300):g}px"><title id="{name}-title">{escape(title)}</title>'
        f"{content}</svg>"
    )


def words(x: float, y: float, text: str, anchor: str, kind: str = "label") -> str:
    """Text at a place."""
    return f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>'


def _cut(name: str) -> str:
    return name if len(name) <= NAME_LENGTH else name[: NAME_LENGTH - 1] + "…"


def _short(number: int) -> str:
    for unit, size in (("M", 1_000_000), ("k", 10_000)):
        if number >= size:
            return f"{number / (1000 if unit == 'k' else size):.0f}{unit}"
    return str(number)
