"""Strangers' texts, made fit to be kept and shown."""

LONGEST = 200


def short(text: str, most: int = LONGEST) -> str:
    """Cut off, without control characters and half characters."""
    whole = len(text) <= most
    text = text[:most].encode("utf-8", "replace").decode()
    return "".join(each if each.isprintable() else " " for each in text) + ("" if whole else "…")


def readable(value: bytes, most: int = LONGEST) -> str:
    """The same of what is stored."""
    # A character has at most four bytes; one that is cut in the middle is left out.
    return short(value[: 4 * most + 4].decode("utf-8", "replace" if len(value) <= 4 * most + 4 else "ignore"), most)
