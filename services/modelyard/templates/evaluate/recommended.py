"""The part of a page that only recommendations have: a few users with what they chose and what they get."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from modelyard.templates.evaluate.elements import table

Found = Mapping[str, Any]


def sections(found: Found) -> list[str]:
    """`found`: evaluation.json's content."""
    users = found["users"]
    unknown = users["asked"] - users["known"]
    said = f"<p>{users['asked']:,} users were asked for what they may want."
    if unknown:
        said += f" The model does not know {unknown:,} of them: they get what is chosen most."
    if "ratings" in found:
        said += f" {found['ratings']:,} of their ratings are compared with the model's."
    head = ("User", "chose last", "is recommended", "chose then", "hits of 50")
    rows = "".join(_row(each) for each in found["shown"])
    some = table("Some users; what was hit is bold", head, rows, "names")
    return [f"<section><h2>Users</h2>{said}</p>{some}</section>"]


def _row(shown: Mapping[str, Any]) -> str:
    recommended = ", ".join(
        f"<b>{escape(each['item'])}</b>" if each["hit"] else escape(each["item"]) for each in shown["recommended"]
    )
    before = _names(shown["history"], shown["chose"])
    after = _names(shown["held_out"], shown["of"])
    return (
        f"<tr><th scope=row>{escape(shown['user'])}</th><td class=name>{before}</td><td class=name>{recommended}</td>"
        f"<td class=name>{after}</td><td>{shown['hits']:,} / {shown['of']:,}</td></tr>"
    )


def _names(names: Sequence[str], count: int) -> str:
    more = f" and {count - len(names):,} more" if count > len(names) else ""
    return ", ".join(map(escape, names)) + more if names else "–"
