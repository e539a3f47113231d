"""What `predict` is asked: the rows that its options and files say."""

import glob
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelyard.sdk.errors import InvalidArgument
from modelyard.sdk.predicting import Model, Row, RowProblem
from modelyard.sdk.predicting.sources import rows_of, rows_of_stream
from modelyard.sdk.predicting.writing import completed

STDIN = "-"
_NEXT_NAME = re.compile(r",(?=\s*[\w .-]+=)")
_MAGIC = re.compile(r"[*?\[]")
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Said:
    """The options, as they were said."""

    media: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """`image`, `audio`, `video` -> paths, patterns, or `-`."""
    texts: Sequence[str] = ()
    rows: Sequence[str] = ()
    users: Sequence[str] = ()
    items: Sequence[str] = ()
    file: str = ""

    def __bool__(self) -> bool:
        return any((*self.media.values(), self.texts, self.rows, self.users, self.items, self.file))

    def check(self) -> None:
        """Raises InvalidArgument for files that are not there, before anything is asked."""
        named = [path for paths in self.media.values() for path in paths if not _MAGIC.search(path)]
        for path in (*named, *filter(None, [self.file])):
            if path != STDIN:
                try:
                    Path(path).stat()
                except OSError as error:
                    raise InvalidArgument(
                        f"{path} can't be read: {error.strerror}", reason="FILE_UNREADABLE"
                    ) from error

    @property
    def streams(self) -> bool:
        """Whether rows come as somebody writes them."""
        return self.file == STDIN

    def questions(self, model: Model, k: int | None, signature: str, left_out: list[str]) -> Iterator[Row | RowProblem]:
        """Row by row. Raises InvalidArgument for what can't be read at all."""
        single = {"k": k} if k is not None and model.takes("k") else {}
        if not self.file:
            yield from (row if signature else completed(model, row) for row in self._rows(single))
            return
        if any((*self.media.values(), self.texts, self.rows, self.users, self.items)):
            raise InvalidArgument("--file has whole rows; give nothing beside it", reason="INPUT_TWICE", field="--file")
        if self.streams:
            found: Iterator[Row | RowProblem] = rows_of_stream(sys.stdin.buffer, model, left_out)
        else:
            found = rows_of(Path(self.file), model, signature, left_out)
        for row in found:
            yield Row({**row.values, **single}, row.origin, row.base) if isinstance(row, Row) and single else row

    def _rows(self, single: Mapping[str, Any]) -> Iterator[Row]:
        """Each option is a column; one that was said once holds for all rows."""
        columns: list[list[tuple[str, dict[str, Any]]]] = []
        for kind, paths in self.media.items():
            if paths:
                columns.append([(name, {kind: value}) for name, value in _files(kind, paths)])
        if self.texts:
            columns.append([(_shortened(text), {"text": text}) for text in map(_text, self.texts)])
        if self.rows:
            columns.append([(_shortened(text), parse_row(text)) for text in self.rows])
        for noun, said in (("user", self.users), ("item", self.items)):
            if said:
                columns.append([(f"{noun} {value}", {noun: value}) for value in said])
        count = max(map(len, columns), default=0)
        if any(len(column) not in (1, count) for column in columns):
            lengths = " and ".join(str(len(column)) for column in columns)
            raise InvalidArgument(
                f"{lengths} values do not make rows; say each option once, or each as often", reason="INPUT_INVALID"
            )
        for at in range(count):
            parts = [column[at if len(column) > 1 else 0] for column in columns]
            values = {key: value for _, part in parts for key, value in part.items()}
            several = [name for (name, _), column in zip(parts, columns, strict=True) if len(column) > 1]
            yield Row({**values, **single}, ", ".join(several or [name for name, _ in parts]))


def parse_row(text: str) -> dict[str, Any]:
    """`age=39,job=clerk`, or a JSON object; a comma that no `name=` follows belongs to the value."""
    if text.lstrip().startswith("{"):
        try:
            value: dict[str, Any] = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InvalidArgument(f"--row is not JSON: {error}", reason="INPUT_INVALID", field="--row") from error
        return value
    found: dict[str, Any] = {}
    for part in _NEXT_NAME.split(text):
        name, equals, value_text = part.partition("=")
        if not equals or not name.strip():
            raise InvalidArgument(
                f"{part!r} is not name=value; a row is such as age=39,job=clerk", reason="INPUT_INVALID", field="--row"
            )
        if name.strip() in found:
            raise InvalidArgument(f"{name.strip()} is given twice", reason="INPUT_TWICE", field=name.strip())
        found[name.strip()] = value_text.strip()
    return found


def _files(kind: str, paths: Sequence[str]) -> Iterator[tuple[str, Path | bytes]]:
    for path in paths:
        if path == STDIN:
            yield "stdin", sys.stdin.buffer.read()
        elif _MAGIC.search(path) and not Path(path).exists():
            found = sorted(glob.glob(path, recursive=True))  # noqa: PTH207 - the pattern may be absolute
            if not found:
                raise InvalidArgument(f"no file is called {path}", reason="FILE_UNREADABLE", field=f"--{kind}")
            yield from ((each, Path(each)) for each in found)
        else:
            yield path, Path(path)


def _text(said: str) -> str:
    if said != STDIN:
        return said
    data = sys.stdin.buffer.read()
    try:
        return data.decode().removesuffix("\n")
    except UnicodeDecodeError as error:
        raise InvalidArgument(
            f"stdin is no UTF-8: byte 0x{data[error.start]:02x} at {error.start:,}",
            reason="INPUT_INVALID",
            field="--text",
        ) from None


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    if not line:
        return '""'
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
