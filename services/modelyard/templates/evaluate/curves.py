"""Lines over steps as inline SVG. Colours come from the page's style sheet."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from modelyard.templates.evaluate.charts import drawing, words
from modelyard.templates.evaluate.plots import scale, written

_HEIGHT, _LEFT, _TOP, _BELOW = 170, 56, 8, 34
_LEGEND = 18


@dataclass(frozen=True, slots=True)
class Line:
    """One of a picture's."""

    label: str
    kind: str
    """Its class in the style sheet: `curve`, `truth`, `other`, `third`."""
    start: int
    """The step of its first point."""
    values: Sequence[float | None]
    """None where there is a gap."""


def lines(
    name: str, given: Sequence[Line], across: str, title: str, *, width: int = 560, mark: int | None = None
) -> str:
    """Values over steps; `mark` is a step at which a dashed line stands."""
    known = [value for line in given for value in line.values if value is not None and math.isfinite(value)]
    first = min(line.start for line in given)
    last = max(line.start + len(line.values) - 1 for line in given)
    ys = scale(min([*known, 0.0]), max([*known, 0.0]))
    right, bottom = _LEFT + width, _TOP + _HEIGHT

    def x(step: float) -> float:
        return _LEFT + width * (step - first) / max(1, last - first)

    def y(value: float) -> float:
        return bottom - _HEIGHT * (value - ys[0]) / (ys[-1] - ys[0])

    parts = [
        f'<path class="grid" d="M{_LEFT} {y(at):.1f}H{right}"/>' + words(_LEFT - 6, y(at) + 4, written(at), "end")
        for at in ys
    ]
    every = max(1, round((last - first + 1) / 8))
    parts += [words(x(at), bottom + 15, str(at), "middle") for at in range(first, last + 1) if at % every == 0]
    if mark is not None:
        parts.append(f'<path class="ideal" d="M{x(mark):.1f} {_TOP}V{bottom}"/>')
    for number, line in enumerate(given):
        parts.append(f'<path class="{line.kind}" d="{_path(line, x, y)}"/>')
        at = _LEFT + 130 * number
        parts.append(f'<path class="{line.kind}" d="M{at} {bottom + _BELOW + 8}h18"/>')
        parts.append(words(at + 24, bottom + _BELOW + 12, line.label, "start"))
    parts.append(words(_LEFT + width / 2, bottom + 29, across, "middle"))
    wide = max(right + 12, _LEFT + 130 * len(given))
    return drawing(name, wide, bottom + _BELOW + _LEGEND, title, "".join(parts))


def _path(line: Line, x: Callable[[float], float], y: Callable[[float], float]) -> str:
    drawn, pen = [], "M"
    for step, value in enumerate(line.values, line.start):
        if value is None or not math.isfinite(value):
            pen = "M"
            continue
        drawn.append(f"{pen}{x(step):.1f} {y(value):.1f}")
        pen = "L"
    return "".join(drawn)
