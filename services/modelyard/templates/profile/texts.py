"""Strangers' texts, made fit to be kept and shown."""

from modelyard.layouts.shown import is_shown

LONGEST = 200
SOFT_HYPHEN = "\u00ad"
"""Shows nowhere but at the end of a line."""


def short(text: str, most: int = LONGEST) -> str:
    """Cut off, without control characters and half characters."""
    whole = len(text) <= most
    text = text[:most].encode("utf-8", "replace").decode()
    text = "".join(each if is_shown(each) else " " for each in text.replace(SOFT_HYPHEN, ""))
    return text + ("" if whole else "…")


def readable(value: bytes, most: int = LONGEST) -> str:
    """The same of what is stored."""
    # A character has at most four bytes; one that is cut in the middle is left out.
    return short(value[: 4 * most + 4].decode("utf-8", "replace" if len(value) <= 4 * most + 4 else "ignore"), most)
