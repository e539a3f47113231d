"""What pages are made of: tables, boxes that scroll, numbers in words. All text goes through `escape`."""

from collections.abc import Sequence
from html import escape

NAMED = 8
"""Class names that a note lists."""
POLICY = (
    "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)


def document(title: str, style: str, body: str) -> str:
    """A whole page that needs nothing else; its own policy lets a browser load nothing and run nothing."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{title}</title>\n<style>{style}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def table(caption: str, head: Sequence[str], rows: str, kind: str = "numbers") -> str:
    """`head` and `rows` are markup."""
    cells = "".join(f"<th scope=col>{name}</th>" for name in head)
    return scrolled(
        caption,
        f"<table class={kind}><caption>{caption}</caption><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table>",
    )


def scrolled(label: str, content: str) -> str:
    """What may be wider than a phone; a keyboard can scroll it."""
    return f'<div class=scroll tabindex=0 role=group aria-label="{label}">{content}</div>'


def listed(names: Sequence[str]) -> str:
    """The first few, and how many more."""
    shown = ", ".join(f"<b>{escape(name)}</b>" for name in names[:NAMED])
    return shown + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def percent(value: float) -> str:
    """Never rounded up to a hundred or down to nothing that it is not."""
    text = f"{value:.2%}"
    if text == "100.00%" and value < 1:
        return "&gt; 99.99 %"
    if text == "0.00%" and value > 0:
        return "&lt; 0.01 %"
    return text.replace("%", " %")


def number(value: float, sign: bool = False) -> str:
    """Four digits, and all of those before the point; whole numbers as they are. `sign`: also that of a gain."""
    whole = (value == round(value) or abs(value) >= 1000) and abs(value) < 1e15
    text = f"{abs(value):,.0f}" if whole else f"{abs(value):,.4g}"
    return ("−" if value < 0 else "+" if sign else "") + text
