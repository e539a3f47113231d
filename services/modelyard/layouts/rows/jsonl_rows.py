"""Rows of JSONL files: a JSON object a line. A key that a row lacks is a missing value."""

import json
from collections.abc import Iterator
from typing import Any

from modelyard.layouts.chunks import Problems
from modelyard.layouts.description import Table
from modelyard.layouts.errors import DataUnreadable, FileBroken
from modelyard.layouts.files import File
from modelyard.layouts.rows.batch import Batch, Shape, in_batches
from modelyard.layouts.strict_json import has_half_characters
from modelyard.layouts.text_files import encoding_of, lines

_SAMPLE_ROWS = 10_000
_MAX_COLUMNS = 4096


class _NoRowError(Exception):
    pass


def read_shape(path: str, file: File) -> Shape:
    """The keys of the first rows, in the order in which they turn up. Raises DataUnreadable."""
    header: dict[str, None] = {}
    first = ""
    for count, line in enumerate(lines(path, file, Problems())):
        if count == _SAMPLE_ROWS:
            break
        if not line.text.strip():
            continue
        try:
            header |= dict.fromkeys(_object(line.text))
        except _NoRowError as problem:
            first = first or f"line {line.number} {problem}"
    if not header:
        if line_is_array(file):
            raise FileBroken(path, "is one JSON array; write one object a line: jq -c '.[]'")
        raise FileBroken(path, f"has no JSON objects: {first}" if first else "is empty", reason="EMPTY")
    if len(header) > _MAX_COLUMNS:
        raise DataUnreadable(path, f"has {len(header):,} different keys; at most {_MAX_COLUMNS:,} are read")
    if "" in header:
        raise DataUnreadable(path, "has a column without a name; give it one")
    return Shape(Table("jsonl", encoding=encoding_of(path, file).removesuffix("-sig")), tuple(header))


def line_is_array(file: File) -> bool:
    """Whether the file begins as an array does."""
    return file.read(0, 64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")


def read_rows(path: str, file: File, shape: Shape, problems: Problems) -> Iterator[Batch]:
    """Raises FileBroken for another encoding."""
    yield from in_batches(path, _rows(path, file, shape, problems))


def _rows(path: str, file: File, shape: Shape, problems: Problems) -> Iterator[tuple[int, list[str], int]]:
    known = dict.fromkeys(shape.header, "")
    for line in lines(path, file, problems):
        if not line.text.strip():
            continue
        try:
            row = _row(line.text, known)
        except _NoRowError as problem:
            problems.add(path, line.number, str(problem))
        else:
            yield line.number, row, len(line.text)


def _row(text: bytes, known: dict[str, str]) -> list[str]:
    fields = _object(text)
    row = known | {key: _as_text(value) for key, value in fields.items()}
    if len(row) != len(known):
        more = next(key for key in fields if key not in known)
        raise _NoRowError(f"has the key {more!r}, which the first rows do not have")
    return list(row.values())


def _object(text: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(text)
    except RecursionError:
        raise _NoRowError("is nested too deep") from None
    except ValueError as error:
        raise _NoRowError(f"is not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise _NoRowError(f"is {type(fields).__name__}, not an object with keys")
    if b"\\u" in text and has_half_characters(fields):
        raise _NoRowError("has half a character in it (a lone \\ud8xx)")
    return fields


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False)
