"""What a model's description says for clients: its task, its classes, and what its inputs stand for."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

MAX_CLASSES, MAX_INPUTS, MAX_CATEGORIES, MAX_NAME = 1000, 1000, 10_000, 200
"""What the catalog keeps; more is left out."""
MAX_SAMPLE_RATE = 1_000_000
_KIND = re.compile(r"[a-z][a-z_]{0,31}", re.ASCII)

Told = Iterator[tuple[str, dict[str, Any]]]


def told(description: Mapping[str, Any]) -> Told:
    """What the scanner says of it. Whatever has another form than `job.export` writes is left out."""
    task = description.get("task")
    if _is_name(task):
        yield "task", {"task": task}
    for name in _names(description.get("classes"), MAX_CLASSES):
        yield "class", {"name": name}
    inputs, categories = description.get("inputs"), description.get("categories")
    room = MAX_CATEGORIES
    for name, kind in list(inputs.items())[:MAX_INPUTS] if isinstance(inputs, dict) else ():
        if not _is_name(name) or not isinstance(kind, str) or not _KIND.fullmatch(kind):
            continue
        form = description.get("audio") if kind == "audio" else None
        yield "input", {"name": name, "stands_for": kind, **_sound(form if isinstance(form, dict) else {})}
        known = _names(categories.get(name), room) if kind == "category" and isinstance(categories, dict) else []
        room -= len(known)
        for category in known:
            yield "category", {"input": name, "name": category}


def _sound(form: Mapping[str, Any]) -> dict[str, Any]:
    rate, seconds = form.get("sample_rate"), form.get("seconds")
    fits = isinstance(rate, int) and 0 <= rate <= MAX_SAMPLE_RATE
    lasts = isinstance(seconds, int | float) and math.isfinite(seconds) and seconds >= 0
    return {"sample_rate": int(rate) if fits else 0, "seconds": float(seconds) if lasts else 0.0}  # type: ignore[arg-type]


def _names(value: Any, most: int) -> list[str]:
    """All of them, or none: a part of the names would give wrong ones to the rest."""
    whole = isinstance(value, list) and len(value) <= most and all(map(_is_name, value))
    return value if whole else []


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_NAME
