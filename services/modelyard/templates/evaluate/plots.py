"""Points and bars as inline SVG. Colours come from the page's style sheet, text is escaped here."""

import math
from collections.abc import Sequence
from html import escape

from modelyard.templates.evaluate.charts import drawing, words

_WIDTH, _HEIGHT = 350, 290
_LEFT, _TOP = 64, 8
_TICKS = 5
_BAR, _BAR_WIDTH = 22, 300
_NAME_LENGTH = 24


def scatter(name: str, points: Sequence[tuple[float, float]], across: str, up: str, title: str, *, ideal: str) -> str:
    """`ideal` is where points should lie: "equal" (up = across) or "zero" (up = 0); both axes then share that scale."""
    horizontal, vertical = [x for x, _ in points], [y for _, y in points]
    if ideal == "equal":
        low = min(*horizontal, *vertical)
        high = max(*horizontal, *vertical)
        xs = ys = scale(low, high)
    else:
        xs = scale(min(horizontal), max(horizontal))
        most = max(map(abs, vertical))
        ys = scale(-most, most)
    right, bottom = _LEFT + _WIDTH, _TOP + _HEIGHT

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            _LEFT + _WIDTH * (x - xs[0]) / (xs[-1] - xs[0]),
            bottom - _HEIGHT * (y - ys[0]) / (ys[-1] - ys[0]),
        )

    parts = []
    for tick in ys:
        _, y = at(xs[0], tick)
        parts.append(
            f'<path class="grid" d="M{_LEFT} {y:.1f}H{right}"/>' + words(_LEFT - 6, y + 4, written(tick), "end")
        )
    for tick in xs:
        x, _ = at(tick, ys[0])
        parts.append(f'<path class="grid" d="M{x:.1f} {_TOP}V{bottom}"/>')
        parts.append(words(x, bottom + 16, written(tick), "middle"))
    radius = 3 if len(points) <= 300 else 2
    parts += [
        f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="{radius}"/>' for x, y in (at(*point) for point in points)
    ]
    ends = (at(xs[0], ys[0]), at(xs[-1], ys[-1])) if ideal == "equal" else (at(xs[0], 0.0), at(xs[-1], 0.0))
    parts.append(f'<path class="ideal" d="M{ends[0][0]:.1f} {ends[0][1]:.1f}L{ends[1][0]:.1f} {ends[1][1]:.1f}"/>')
    parts.append(words(_LEFT + _WIDTH / 2, bottom + 34, across, "middle"))
    middle = _TOP + _HEIGHT / 2
    parts.append(
        f'<text class="label" transform="translate(12 {middle:g}) rotate(-90)" text-anchor="middle">{escape(up)}</text>'
    )
    return drawing(name, right + 16, bottom + 42, title, "".join(parts))


def bars(name: str, rows: Sequence[tuple[str, float, str]], title: str) -> str:
    """Name, length and what is written behind it, a bar a row; a length below nothing is drawn as nothing."""
    margin = 12 + 6.6 * min(_NAME_LENGTH, max(len(label) for label, *_ in rows))
    most = max((length for _, length, _ in rows), default=0.0)
    parts = []
    for place, (label, length, says) in enumerate(rows):
        y = 4 + _BAR * place
        wide = _BAR_WIDTH * max(0.0, length) / most if most > 0 else 0.0
        short = label if len(label) <= _NAME_LENGTH else label[: _NAME_LENGTH - 1] + "…"
        parts.append(words(margin - 6, y + 15, short, "end"))
        parts.append(f'<rect class="bar" x="{margin:g}" y="{y + 3}" width="{max(wide, 1):.1f}" height="{_BAR - 6}"/>')
        parts.append(words(margin + wide + 6, y + 15, says, "start", "count"))
    return drawing(name, margin + _BAR_WIDTH + 90, 8 + _BAR * len(rows), title, "".join(parts))


def scale(low: float, high: float) -> list[float]:
    """Round numbers that hold both ends, about _TICKS of them."""
    if low == high:
        low, high = low - 0.5, high + 0.5
    raw = (high - low) / _TICKS
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * times for times in (1, 2, 2.5, 5, 10) if unit * times >= raw)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [step * number for number in range(first, last + 1)]


def written(value: float) -> str:
    for unit, size in (("M", 1e6), ("k", 1e4)):
        if abs(value) >= size:
            return f"{value / (1e6 if unit == 'M' else 1e3):g}{unit}"
    return f"{value:g}" if abs(value) > 1e-12 else "0"
