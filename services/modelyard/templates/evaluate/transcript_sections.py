"""The part of a page that only transcripts have: which symbols are confused, and the worst strings, aligned."""

from collections.abc import Mapping
from html import escape
from typing import Any

from modelyard.templates.evaluate import sounds
from modelyard.templates.evaluate.elements import percent, table
from modelyard.templates.evaluate.mistake_sections import located

Found = Mapping[str, Any]
_GAP = "·"


def sections(found: Found) -> list[str]:
    """`found`: evaluation.json's content."""
    return [part for part in (_confused(found), _worst(found)) if part]


def _confused(found: Found) -> str:
    if not found["confused"]:
        return ""
    rows = "".join(
        f"<tr><th scope=row>{_symbol(true) or '–'}</th><td>{_symbol(said) or '–'}</td><td>{_what(true, said)}</td>"
        f"<td>{count:,}</td></tr>"
        for true, said, count in found["confused"]
    )
    head = ("Symbol", "written as", "", "times")
    return f"<section><h2>Edits</h2>{table('What is written wrongly, most often first', head, rows)}</section>"


def _worst(found: Found) -> str:
    if not found["mistakes"]:
        return ""
    figures = []
    for each in found["mistakes"]:
        picture = f'<img src="{escape(each["image"])}" alt="">' if "image" in each else ""
        heard = sounds.markup(each["sound"]) if "sound" in each else ""
        sure = f", {percent(each['confidence'])} sure" if each["confidence"] is not None else ""
        figures.append(
            f"<figure class=text>{picture}{heard}<p class=aligned>{_aligned(each['aligned'])}</p>"
            f"<figcaption>{each['edits']:,} edits, {len(each['true']):,} symbols{sure}"
            f"<span class=about> · {located(each)}</span></figcaption></figure>"
        )
    return (
        "<section><h2>Worst strings</h2><p>What is there, above what was written; the most edits a symbol first.</p>"
        f'<div class="lines{" sounds" if "sound" in found["mistakes"][0] else ""}">{"".join(figures)}</div></section>'
    )


def _aligned(pairs: list[list[str]]) -> str:
    """Symbol over symbol."""
    return "".join(
        f"<span{'' if true == said else ' class=off'}>{_symbol(true) or _GAP}<br>{_symbol(said) or _GAP}</span>"
        for true, said in pairs
    )


def _symbol(symbol: str) -> str:
    return "␣" if symbol.isspace() else escape(symbol)


def _what(true: str, said: str) -> str:
    return "wrong" if true and said else "lacking" if true else "too much"
