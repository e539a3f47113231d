"""Histograms and lists of the most frequent values, small, for many features on one page."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from modelyard.templates.evaluate.elements import percent

_HEIGHT = 60
_BAR = 10
LISTED = 8


def histogram(found: Mapping[str, Any], name: str, *, time: bool = False) -> str:
    """Bars of equal width between the least and the greatest value, which are written below."""
    counts, bounds = found["counts"], found["bounds"]
    most = max(counts)
    bars = []
    for place, count in enumerate(counts):
        if not count:
            continue
        # Even one among thousands stays visible.
        height = max(1.0, _HEIGHT * count / most)
        says = f"{value(bounds[place], time=time)} to {value(bounds[place + 1], time=time)}: {count:,}"
        bars.append(
            f'<rect x="{_BAR * place + 0.5}" y="{_HEIGHT - height:.1f}" width="{_BAR - 1}" height="{height:.1f}">'
            f"<title>{says}</title></rect>"
        )
    return (
        f'<svg class=histogram viewBox="0 0 {_BAR * len(counts)} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="Histogram of {escape(name)}">{"".join(bars)}</svg>'
        f"<div class=ends><span>{value(bounds[0], time=time)}</span><span>{value(bounds[-1], time=time)}</span></div>"
    )


def top(values: Sequence[Mapping[str, Any]], total: int, most: int = LISTED) -> str:
    """The most frequent values, with their part of all as a bar."""
    if not total:
        return ""
    rows = "".join(
        f'<li style="--part:{each["count"] / total:.3f}"><span dir=auto>{escape(each["value"]) or "(empty)"}</span>'
        f"<span>{each['count']:,} · {percent(each['count'] / total)}</span></li>"
        for each in values[:most]
    )
    return f"<ul class=top>{rows}</ul>"


def value(number: float, *, time: bool = False) -> str:
    """As people write it."""
    if time:
        try:
            return datetime.fromtimestamp(number, UTC).strftime("%Y-%m-%d")
        except (ValueError, OverflowError, OSError):
            return f"{number:.3g}"
    if number == math.floor(number) and abs(number) < 1e9:
        return f"{number:,.0f}"
    return f"{number:,.4g}" if abs(number) < 1e6 else f"{number:.3g}"
