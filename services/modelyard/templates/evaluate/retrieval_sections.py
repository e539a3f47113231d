"""The part of a page that only retrieval has: pictures with those that the model holds for the most similar."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from modelyard.templates.evaluate.elements import table
from modelyard.templates.evaluate.metrics import label, written

Found = Mapping[str, Any]


def sections(found: Found) -> list[str]:
    """`found`: evaluation.json's content."""
    return [_beside(found), *_neighbours(found)]


def _beside(found: Found) -> str:
    rows = "".join(
        f"<tr><th scope=row>{label(name)}</th><td><b>{written(name, found['metrics'][name])}</b></td>"
        f"<td>{written(name, each['value'])}</td><td class=name>{escape(each['by'])}</td></tr>"
        for name, each in found["references"].items()
    )
    return (
        f"<section><h2>Beside what needs no learning</h2><p>{found['examples']:,} pictures of {found['identities']:,} "
        f"identities that training has not seen. Two pictures with a similarity of {found['threshold']:.3f} or more "
        "are best held for the same here.</p>"
        f"{table('The same pictures, compared without a model', ('', 'this model', 'without', ''), rows, 'names')}"
        "</section>"
    )


def _neighbours(found: Found) -> list[str]:
    parts = []
    for why, title, says in (
        (
            "spread",
            "Neighbours",
            "Some pictures, evenly spread, and those most similar to each: green the same identity.",
        ),
        (
            "mistake",
            "Surest mistakes",
            "Pictures whose most similar one is of another identity, the most similar first.",
        ),
    ):
        some = [each for each in found["neighbours"] if each["why"] == why]
        if some:
            body = "".join(map(_row, some))
            parts.append(f"<section><h2>{title}</h2><p>{says}</p><div class=neighbours>{body}</div></section>")
    return parts


def _row(each: Mapping[str, Any]) -> str:
    nearest: Sequence[Mapping[str, Any]] = each["nearest"]
    images = "".join(
        f'<img class="{"same" if other["same"] else "other"}" src="{escape(other["image"])}" '
        f'alt="{escape(other["identity"])}" title="{escape(other["path"])}: {other["similarity"]:.3f}">'
        for other in nearest
    )
    return (
        f'<figure><img src="{escape(each["image"])}" alt="{escape(each["identity"])}" title="{escape(each["path"])}">'
        f"<span>→</span>{images}</figure>"
    )
