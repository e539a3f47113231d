"""The part of a page that only detections have: class by class, and the worst images with boxes on them."""

from collections.abc import Mapping
from html import escape
from typing import Any

from modelyard.templates.evaluate.elements import percent, table

Found = Mapping[str, Any]


def sections(found: Found) -> list[str]:
    """`found`: evaluation.json's content."""
    return [_classes(found), _worst(found)]


def _classes(found: Found) -> str:
    rows = "".join(
        f"<tr><th scope=row>{escape(each['name'])}</th><td>{each['support']:,}</td><td>{_bar(each['ap50'])}</td>"
        f"<td>{_between(each)}</td><td>{'–' if each['ap'] is None else percent(each['ap'])}</td>"
        f"<td>{each['found']:,}</td></tr>"
        for each in found["classes"]
    )
    head = ("Class", "objects", "AP@.5", "95 %", "AP@.5:.95", "boxes found")
    return (
        "<section><h2>Class by class</h2><p>Average precision: the surest boxes are best right, and all objects should "
        "be found. A box is right where it shares half of its union with an object of its class (AP@.5), or more "
        f"(.5 to .95, the mean).</p>{table('Average precision by class', head, rows)}</section>"
    )


def _bar(value: float | None) -> str:
    return "–" if value is None else f'<span class=bar style="--part:{value:.3f}">{percent(value)}</span>'


def _between(each: Mapping[str, Any]) -> str:
    low, high = each["ap50_low"], each["ap50_high"]
    return "–" if low is None else f"{percent(low).removesuffix(' %')} – {percent(high)}"


def _worst(found: Found) -> str:
    if not found["worst"]:
        nothing = "<p>Nothing was missed, and nothing was found that is not there.</p>"
        return f"<section><h2>Worst images</h2>{nothing}</section>"
    figures = "".join(_figure(each, number) for number, each in enumerate(found["worst"]))
    return (
        "<section><h2>Worst images</h2><p>What was found that is there (thin), what was found that is not there "
        "(thick), and what was missed (dashed). Boxes with a score below .3 are not drawn.</p>"
        f"<div class=mistakes>{figures}</div></section>"
    )


def _figure(each: Mapping[str, Any], number: int) -> str:
    place = escape(each["path"] or f"example {each['example']:,}")
    wrong = [box for box in each["found"] if not box["right"]]
    parts = [_box(box, "right", _said(box)) for box in each["found"] if box["right"]]
    parts += [_box(box, "wrong", _said(box)) for box in wrong]
    parts += [_box(box, "missed", box["class"]) for box in each["missed"]]
    lines = []
    if each["missed"]:
        lines.append(f"missed <b>{escape(', '.join(box['class'] for box in each['missed']))}</b>")
    if wrong:
        lines.append(f"found <b>{escape(', '.join(map(_said, wrong)))}</b>")
    wide, high = each["width"], each["height"]
    return (
        f'<figure><svg class=boxes viewBox="0 0 {wide} {high}" role=img aria-labelledby="worst-{number}">'
        f'<title id="worst-{number}">{place}</title>'
        f'<image href="{escape(each["image"])}" width="{wide}" height="{high}" preserveAspectRatio="none"/>'
        f"{''.join(parts)}</svg><figcaption>{'<br>'.join(lines)}<br><span class=about>{place}</span></figcaption>"
        "</figure>"
    )


def _said(box: Mapping[str, Any]) -> str:
    return f"{box['class']} {box['score']:.2f}"


def _box(box: Mapping[str, Any], kind: str, says: str) -> str:
    left, top, right, bottom = box["box"]
    return (
        f'<rect class="{kind}" x="{left:g}" y="{top:g}" width="{max(right - left, 0):g}" '
        f'height="{max(bottom - top, 0):g}"><title>{escape(says)}</title></rect>'
    )
