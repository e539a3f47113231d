"""The part of a page that only a regression has: answers over truth, and the errors."""

from collections.abc import Mapping
from typing import Any

from modelyard.templates.evaluate import plots
from modelyard.templates.evaluate.elements import scrolled

Found = Mapping[str, Any]


def sections(found: Found) -> list[str]:
    """`found`: evaluation.json's content."""
    points = [(true, answered) for true, answered in found.get("points", ())]
    if len(points) < 2:
        return []
    what = found.get("target") or "value"
    few = (
        f" {len(points):,} of {found['examples']:,} examples are drawn, evenly spread."
        if len(points) < found["examples"]
        else ""
    )
    answers = plots.scatter(
        "answers", points, f"true {what}", f"answered {what}", f"Answered over true {what}", ideal="equal"
    )
    errors = plots.scatter(
        "errors",
        [(answered, answered - true) for true, answered in points],
        f"answered {what}",
        "answered − true",
        f"Errors over answered {what}",
        ideal="zero",
    )
    return [
        "<section><h2>Answered and true</h2>"
        f"<p>On the dashed line an answer is exact; beside it errors over the answer, whose mean should be nothing "
        f"everywhere.{few}</p>"
        f"<div class=pair>{scrolled('Answers', answers)}{scrolled('Errors', errors)}</div></section>"
    ]
