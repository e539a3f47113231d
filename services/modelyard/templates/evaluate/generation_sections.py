"""The part of a page that only written text has: what it costs, what else reaches, and samples."""

from collections.abc import Mapping
from html import escape
from typing import Any

from modelyard.templates.evaluate.elements import number, percent, table

Found = Mapping[str, Any]


def sections(found: Found) -> list[str]:
    """`found`: evaluation.json's content."""
    return [_costs(found), _samples(found)]


def _costs(found: Found) -> str:
    said = (
        f"<p>{found['characters']:,} symbols of text that it has not seen, each by what stands before it: a bit "
        "less is half of the doubt."
    )
    if found["unknown"]:
        said += f" {found['unknown']:,} of them the model does not know, and takes for one and the same."
    rows = "".join(
        f"<tr><th scope=row>{escape(name)}</th><td>{number(value)}</td></tr>"
        for name, value in (("the model", found["metrics"]["bits"]), *found.get("references", {}).items())
    )
    how = (
        " An n-gram counts what followed the last n − 1 symbols in training (interpolated as by Witten and Bell); xz "
        "compresses the text behind the training text."
        if "references" in found
        else ""
    )
    others = table("Bits a symbol", ("", "bits"), rows)
    texts = "".join(
        f"<tr><th scope=row>{escape(each['name'])}</th><td>{each['characters']:,}</td>"
        f"<td>{number(each['bits'])}</td></tr>"
        for each in found["documents"]
    )
    by_text = table("Text by text, the hardest first", ("Text", "symbols", "bits"), texts)
    return f"<section><h2>What the text costs</h2>{said}{how}</p><div class=pair>{others}{by_text}</div></section>"


def _samples(found: Found) -> str:
    parts = []
    for each in found["samples"]:
        seeds = (
            "the same seed wrote the same text again" if each["again"] else "<b>the same seed wrote another text</b>"
        )
        by_heart = (
            f", {percent(each['known_words'])} of its words are in the training text; the longest part that is there "
            f"as it is has {len(each['copied'])} symbols: <q>{escape(' '.join(each['copied'].split()))}</q>"
            if each["copied"]
            else ""
        )
        parts.append(
            f"<figure class=text><blockquote><p><b>{escape(each['prompt'])}</b>{escape(each['text'])}</p></blockquote>"
            f"<figcaption>temperature {each['temperature']:g}<span class=about> · {seeds}{by_heart}</span></figcaption>"
            "</figure>"
        )
    return (
        "<section><h2>Samples</h2><p>What it writes behind the bold beginning: the hotter, the less it keeps to what "
        f"is likeliest.</p><div class=texts>{''.join(parts)}</div></section>"
    )
