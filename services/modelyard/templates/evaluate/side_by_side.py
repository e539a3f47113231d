"""The part of a page that only written texts have: source, reference and answer side by side."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from modelyard.templates.evaluate.elements import number, table
from modelyard.templates.text_scores import rouge

Found = Mapping[str, Any]

MOST_TEXT = 400
_PARTS = re.compile(rf"\s+|{rouge.WORD}|.", re.DOTALL)


def sections(found: Found) -> list[str]:
    """`found`: evaluation.json's content."""
    parts = []
    if found["worst"]:
        parts.append(
            "<section><h2>Worst answers</h2><p>Those that share the fewest sequences of characters with their "
            "reference (chrF). A word that the reference does not have is underlined.</p>"
            f"{_rows('The worst first', found['worst'])}</section>"
        )
    if found["shown"]:
        parts.append(
            "<section><h2>Some answers</h2><p>Evenly spread over the split, good and bad.</p>"
            f"{_rows('In the order of the split', found['shown'])}</section>"
        )
    return parts


def _rows(caption: str, shown: Sequence[Mapping[str, Any]]) -> str:
    rows = "".join(
        f"<tr><th scope=row>{_cut(each['source'])}<br><span class=about>{escape(each['path'])}</span></th>"
        f"<td>{_cut(each['reference'])}</td><td>{_marked(each['answer'], each['reference'])}</td>"
        f"<td>{number(round(each['chrf'], 1))}</td></tr>"
        for each in shown
    )
    return table(caption, ("Source", "reference", "answer", "chrF"), rows, "written")


def _cut(text: str) -> str:
    return escape(text if len(text) <= MOST_TEXT else text[: MOST_TEXT - 1] + "…") or "<i>empty</i>"


def _marked(answer: str, reference: str) -> str:
    """With what is not in the reference as often underlined."""
    left = Counter(rouge.words(reference))
    parts = []
    for part in _PARTS.findall(answer[:MOST_TEXT]):
        word = rouge.words(part)
        missing = bool(word) and not left[word[0]]
        left.subtract(word[:1] if not missing else [])
        parts.append(f"<u>{escape(part)}</u>" if missing else escape(part))
    return "".join(parts) or "<i>empty</i>"
