"""JSON from strangers, read without surprises: no deep nesting, no key twice, no NaN, no half characters."""

import json
import re
from typing import Any

MAX_DEPTH = 16
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


def parse_strictly(data: bytes, max_bytes: int) -> object:
    """Raises ValueError, whose text goes on where a sentence begins with `it`."""
    if len(data) > max_bytes:
        raise ValueError(f"it has {len(data):,} bytes, more than {max_bytes:,}")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    if _depth(text) > MAX_DEPTH:
        raise ValueError(f"it is nested deeper than {MAX_DEPTH}")
    try:
        found = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except ValueError as error:
        raise ValueError(f"it is not JSON: {error}") from None
    if "\\u" in text and has_half_characters(found):
        raise ValueError("it has half a character in it (a lone \\ud8xx)")
    return found


def has_half_characters(found: object) -> bool:
    """Whether a key or a text in parsed JSON holds a lone surrogate, which no encoding can write."""
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _depth(text: str) -> int:
    """How deep brackets are nested outside of strings, before a recursive parser meets them."""
    depth = deepest = 0
    for letter in _STRING.sub("", text):
        if letter in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif letter in "]}":
            depth -= 1
    return deepest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
