"""The controls as a page shows them: what is left where a part of the input is destroyed."""

from collections.abc import Mapping
from html import escape
from typing import Any

from modelyard.templates.evaluate import plots
from modelyard.templates.evaluate.elements import number, scrolled, table
from modelyard.templates.evaluate.metrics import LOWER_IS_BETTER, label, with_what, written

Found = Mapping[str, Any]

MOST_BARS = 40


def sections(found: Found) -> list[str]:
    """`found`: evaluation.json's content."""
    parts = [_controls(found), _importance(found)]
    if not any(parts):
        return []
    return [f"<section><h2>What it goes by</h2>{''.join(parts)}</section>"]


def _controls(found: Found) -> str:
    if not found.get("controls"):
        return ""
    rows = "".join(
        f"<tr><th scope=row>{escape(each['name'])}</th><td>{label(each['metric'])}</td>"
        f"<td>{written(each['metric'], each['as_is'])}</td><td><b>{written(each['metric'], each['value'])}</b></td>"
        f"<td>{_floor(found, each['metric'])}</td><td class=name>{escape(each['says'])}</td></tr>"
        for each in found["controls"]
    )
    head = ("Control", "metric", "as it is", "with it", with_what(found["kind"]), "")
    examples = max(each["examples"] for each in found["controls"])
    return (
        f"<p>A part of what the model reads is destroyed, on {examples:,} examples, and it is asked again.</p>"
        + table("Controls", head, rows, "names")
    )


def _floor(found: Found, metric: str) -> str:
    floor = found.get("floors", {}).get(metric)
    return written(metric, floor["value"]) if floor else "–"


def _importance(found: Found) -> str:
    swapped = found.get("importance")
    if not swapped:
        return ""
    metric, as_is = swapped["metric"], swapped["as_is"]
    sign = 1 if metric in LOWER_IS_BETTER else -1
    rows = sorted(
        ((each["name"], sign * (each["value"] - as_is), each["value"]) for each in swapped["columns"]),
        key=lambda row: -row[1],
    )
    title = f"{label(metric)} lost when a column's values are swapped among the rows"
    drawn = plots.bars(
        "importance",
        [(name, loss, number(float(f"{sign * loss:.3g}"), sign=True)) for name, loss, _ in rows[:MOST_BARS]],
        title,
    )
    left = f" The {MOST_BARS} greatest of {len(rows)} are drawn." if len(rows) > MOST_BARS else ""
    worse = "higher" if sign > 0 else "lower"
    return (
        f"<p>Permutation importance (Breiman 2001): how much {worse} the {label(metric)} of {written(metric, as_is)} "
        f"becomes when one column's values are swapped among {swapped['examples']:,} rows. "
        "A column that alone decides may be the answer in disguise; of columns that say the same, each may look "
        f"worthless.{left}</p>{scrolled('Permutation importance', drawn)}"
    )
