"""What is wrong with the data: copies, examples in two splits, files that do not decode."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from modelyard.templates.evaluate.elements import percent, table

Found = Mapping[str, Any]

LISTED = 100


def findings(sentences: Sequence[str]) -> str:
    """Above everything else."""
    if not sentences:
        return (
            "<ul class='notes good'><li>Nothing stands out: every example decodes, and none is in two splits.</li></ul>"
        )
    return "<ul class=notes>" + "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences) + "</ul>"


def copies(found: Found) -> str:
    """Groups of equal examples."""
    if not found["duplicates"]["groups"]:
        return ""
    rows = "".join(
        f"<tr><th scope=row>{group['exampleCount']:,} equal</th>"
        f"<td>{', '.join(f'<bdi>{escape(each)}</bdi>' for each in group['origins'][:6])}"
        f"{' …' if group['exampleCount'] > 6 else ''}</td></tr>"
        for group in found["duplicates"]["groups"]
    )
    count = found["duplicates"]["exampleCount"]
    return (
        f"<section><h2>Copies</h2><p>{count:,} examples are copies of another one in the same split; the largest "
        f"groups:</p>{table('Groups of equal examples', ('', 'where'), rows, 'wide')}</section>"
    )


def leakage(found: Found) -> str:
    """Examples in two splits."""
    counts = {each["name"]: each["exampleCount"] for each in found["splits"]}
    tables = []
    for leak in found["leakages"]:
        version = f" of {short(leak['otherVersion'])}" if leak["otherVersion"] else ""
        title = f"{escape(leak['split'])} → {escape(leak['otherSplit'])}{escape(version)}"
        part = percent(leak["exampleCount"] / counts[leak["split"]])
        rows = "".join(
            f"<tr><th scope=row>{escape(each['origin'])}</th><td>{escape(each.get('otherOrigin', ''))}</td></tr>"
            for each in leak["samples"]
        )
        caption = f"{title}: {leak['exampleCount']:,} examples, {part} of {escape(leak['split'])}"
        tables.append(table(caption, (escape(leak["split"]), "the same in the other"), rows, "wide"))
    return f"<section><h2>In two splits</h2>{''.join(tables)}</section>" if tables else ""


def unreadable(found: Found) -> str:
    """What does not decode, and why."""
    about = found["undecodable"]
    if not about["exampleCount"]:
        return ""
    rows = "".join(
        f"<tr><th scope=row>{escape(each['origin'])}</th><td>{escape(each['reason'])}</td></tr>"
        for each in about["examples"]
    )
    count = about["exampleCount"]
    caption = f"{count:,} example{'s' if count != 1 else ''}" + (f", the first {LISTED}" if count > LISTED else "")
    return f"<section><h2>Cannot be read</h2>{table(caption, ('Example', 'why'), rows, 'wide')}</section>"


def short(name: str) -> str:
    """`projects/p/datasets/d/versions/3` as a person writes it."""
    parts = name.split("/")
    return f"{parts[3]}@{parts[5]}" if len(parts) == 6 else name
