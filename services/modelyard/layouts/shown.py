"""Which letters of strangers' texts are shown and kept."""

import unicodedata

_JOINERS = "\u200c\u200d"
"""Between letters of Persian and of Indic scripts, and the parts of an emoji, which fall apart without them."""


def is_shown(letter: str) -> bool:
    """Nothing that commands a terminal, breaks a line or turns text around. Spaces of all kinds are, though Python
    calls most of them not printable."""
    return letter.isprintable() or letter in _JOINERS or unicodedata.category(letter) == "Zs"
