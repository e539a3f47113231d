"""What is asked: one row, and where it comes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One example.

    Values are Python's: texts, numbers, None where one is missing, lists in lists or NumPy arrays; images, sounds and
    videos are paths, bytes, or `{"b64": …}`. A name is an input's, or the word for what it stands for (`image`, `text`,
    `user`, …); "" is the only input that there is.
    """

    values: Mapping[str, Any]
    origin: str = ""
    """What a message calls it: `a.png`, `rows.jsonl:12`."""
    base: Path | None = None
    """Where the paths that it names begin."""


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row that can't be read."""

    origin: str
    problem: str
    """Goes on where a sentence begins with the origin."""
