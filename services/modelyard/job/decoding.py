"""A split's media decoded, once, to a file that is mapped; and which of them cannot be decoded."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.job import scratch
from modelyard.job.index import Examples

Reasons = Mapping[int, str]
"""Number of an example -> why it cannot be decoded."""


class RowsUnreadable(Exception):
    """Leave these rows out, and ask again."""

    def __init__(self, reasons: Reasons) -> None:
        super().__init__(f"{len(reasons)} examples cannot be decoded")
        self.reasons = reasons


@dataclass(frozen=True, slots=True)
class Portion:
    """Some examples, in order."""

    values: NDArray[Any]
    """[n, …]; whatever at the places of those that cannot be decoded."""
    reasons: Reasons = field(default_factory=dict)
    """By their places."""

    @property
    def good(self) -> NDArray[Any]:
        """Without those."""
        return np.delete(self.values, list(self.reasons), 0) if self.reasons else self.values


@dataclass(frozen=True, slots=True)
class Form:
    """What each example becomes."""

    key: str
    """Tells the file apart."""
    shape: tuple[int, ...]
    dtype: Any

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize


def decoded(
    examples: Examples, name: str, form: Form, portions: Callable[[], Iterator[Portion]], folder: Path
) -> NDArray[Any] | None:
    """All examples, read-only; None for so many that they are decoded as they are read.

    Also of those it is known then that each can be decoded: they were gone through once. Raises RowsUnreadable; what
    could be decoded is there when the rest is asked for.
    """
    path = _place(examples, name, form, folder)
    if scratch.fits(path, len(examples) * form.nbytes):
        if not path.exists() and len(examples):
            _write(examples, name, form, portions, folder)
        return scratch.mapped(path, (len(examples), *form.shape), form.dtype)
    if not _gone_through(path).exists():
        reasons = _reasons(portions(), lambda _: None)
        _gone_through(_place(examples.without(reasons), name, form, folder)).touch()
        if reasons:
            raise RowsUnreadable(reasons)
    return None


def _place(examples: Examples, name: str, form: Form, folder: Path) -> Path:
    return folder / f"{examples.key}.{name}-{form.key}.{np.dtype(form.dtype).name}"


def _gone_through(path: Path) -> Path:
    return path.with_suffix(".decodes")


def _write(examples: Examples, name: str, form: Form, portions: Callable[[], Iterator[Portion]], folder: Path) -> None:
    partial = _place(examples, name, form, folder).with_suffix(".partial")
    done = 0

    def put(values: NDArray[Any]) -> None:
        nonlocal done
        out[done : done + len(values)] = values
        done += len(values)

    out = np.asarray(np.memmap(partial, form.dtype, "w+", 0, (len(examples), *form.shape)))
    reasons = _reasons(portions(), put)
    if reasons:
        os.truncate(partial, done * form.nbytes)
    partial.rename(_place(examples.without(reasons), name, form, folder))
    if reasons:
        raise RowsUnreadable(reasons)


def _reasons(portions: Iterator[Portion], put: Callable[[NDArray[Any]], None]) -> Reasons:
    """Give the good ones away; answers why the others are not."""
    found: dict[int, str] = {}
    start = 0
    for portion in portions:
        found |= {start + place: reason for place, reason in portion.reasons.items()}
        put(portion.good)
        start += len(portion.values)
    return found
