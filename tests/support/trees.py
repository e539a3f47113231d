"""Datasets in memory: their files, what is detected in them, and all that is read back."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

from modelyard.layouts import Description, Files, Findings, Options, Problem, Range, parse_description, to_bytes
from modelyard.layouts.detection import detect
from modelyard.layouts.reading import read, read_items


@dataclass(frozen=True)
class InMemory:
    """A file."""

    content: bytes

    @property
    def size(self) -> int:
        return len(self.content)

    def read(self, offset: int, length: int) -> bytes:
        return self.content[offset : offset + length]

    def open(self) -> BinaryIO:
        return io.BytesIO(self.content)


def tree(files: Mapping[str, str | bytes]) -> dict[str, InMemory]:
    """Files by their paths; texts are UTF-8."""
    return {
        path: InMemory(content.encode() if isinstance(content, str) else content) for path, content in files.items()
    }


def detected(files: Mapping[str, str | bytes], **options: Any) -> tuple[Description, Findings]:
    """What is detected; that its description survives being written is checked on the way."""
    found = detect(tree(files), Options(**options))
    assert parse_description(to_bytes(found.description)) == found.description
    return found.description, found.findings


def described(files: Mapping[str, str | bytes], **options: Any) -> Description:
    return detected(files, **options)[0]


@dataclass
class Rows:
    """The examples of one split, as plain values."""

    origins: list[str] = field(default_factory=list)
    columns: dict[str, list[Any]] = field(default_factory=dict)


def read_back(description: Description, files: Files) -> tuple[dict[str, Rows], list[Problem]]:
    """Every example by split, bytes of the tree fetched; and what could not be used."""
    found: dict[str, Rows] = {}
    problems: list[Problem] = []

    def report(path: str, row: int, reason: str) -> None:
        problems.append(Problem(path, row, reason))

    for chunk in [*read(description, files, report), *read_items(description, files, report)]:
        rows = found.setdefault(chunk.split, Rows())
        rows.origins.extend(chunk.origins)
        for name, column in chunk.columns.items():
            assert len(column) == len(chunk)
            rows.columns.setdefault(name, []).extend(_plain(value, files) for value in column)
    return found, problems


def _plain(value: Any, files: Files) -> Any:
    if isinstance(value, Range):
        return files[value.path].read(value.offset, value.size)
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def whole(files: Mapping[str, str | bytes], **options: Any) -> tuple[Description, dict[str, Rows], list[str]]:
    """Detected, described and read back, which must agree; and the problems as texts."""
    description, findings = detected(files, **options)
    rows, problems = read_back(description, tree(files))
    counts = {name: len(found.origins) for name, found in rows.items() if name != "items"}
    assert counts == description.examples
    assert sorted(map(str, problems)) == sorted(map(str, findings.problems.kept))
    return description, rows, list(map(str, findings.problems.kept))
