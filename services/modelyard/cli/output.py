"""Tables for people, JSON for scripts."""

import codecs
import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.table import Table

from modelyard.layouts.shown import is_shown

_MISSING = "–"
_UNLIMITED = 10_000
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_NO_UTF8 = re.compile("[\ud800-\udfff]")
"""What Python makes of bytes in names of files that are no UTF-8."""
_NO_ASCII = re.compile(r"[^\x00-\x7f]+")
_SOFT_HYPHEN = "\u00ad"


def console() -> Console:
    """Where people look; what stands in names and messages is text, whatever brackets it has.

    Into a file or a pipe lines go whole, however long.
    """
    width = None if _is_terminal() else _UNLIMITED
    return Console(highlight=False, markup=False, emoji=False, width=width, soft_wrap=width is not None)


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


def takes_utf8() -> bool:
    """Whether stdout does; its locale may have fewer characters than names and tables have."""
    encoding = getattr(sys.stdout, "encoding", None)
    return encoding is None or codecs.lookup(encoding).name == "utf-8"


def print_json(value: Any) -> None:
    """One JSON document."""
    print(json_text(value, indent=2))


def json_text(value: Any, indent: int | None = None) -> str:
    """JSON that is UTF-8, whatever names of files are in it; ASCII, which is so too, where stdout takes no UTF-8."""
    text = _NO_UTF8.sub("\ufffd", json.dumps(value, indent=indent, ensure_ascii=False))
    return text if takes_utf8() else _NO_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], text)


def show_done(*, as_json: bool, **facts: Any) -> None:
    """What was done, for scripts; people see no word where all went well."""
    if as_json:
        print_json(facts)


def to_json(message: Message) -> dict[str, Any]:
    """A message with the field names of the .proto."""
    fields: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return fields


def show_all(messages: Iterable[Message], columns: Sequence[str], rows: Any, *, as_json: bool, empty: str) -> None:
    """A list: `rows(message)` are the cells under `columns`; `empty` is said where there is nothing."""
    listed = list(messages)
    if as_json:
        print_json([to_json(message) for message in listed])
        return
    if not listed:
        console().print(empty)
        return
    show_table(columns, [rows(message) for message in listed])


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A plain table."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    _print(table)


def show_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Name and value, a line each; empty values are left out."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in facts:
        if value:
            table.add_row(name, value)
    _print(table)


def _print(table: Table) -> None:
    """A table is as wide as its widest line: into a file or a pipe no other line is filled up to that."""
    shown = console()
    if _is_terminal():
        shown.print(table)
        return
    with shown.capture() as captured:
        shown.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def bytes_text(size: int) -> str:
    """`12.3 MB`."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def age(stamp: Timestamp) -> str:
    """`5m ago`."""
    if not stamp.seconds:
        return _MISSING
    seconds = (datetime.now(UTC) - stamp.ToDatetime(UTC)).total_seconds()
    return f"{duration_text(max(seconds, 0))} ago"


def duration_text(seconds: float) -> str:
    """`42s`, `5m`, `3h`, `2d`."""
    for limit, size, unit in ((90, 1, "s"), (5400, 60, "m"), (129_600, 3600, "h")):
        if seconds < limit:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds / 86_400:.0f}d"


def state_text(name: str) -> str:
    """`STATE_RUNNING` -> `running`."""
    return name.removeprefix("STATE_").lower()


def plain(text: str) -> str:
    """Text of a job, without its colours and whatever else it wants of the terminal."""
    text = _ESCAPES.sub("", text).replace(_SOFT_HYPHEN, "")
    return "".join(each if is_shown(each) or each in "\n\t" else "�" for each in text)


def metrics_text(metrics: Iterable[tuple[str, float]]) -> str:
    """`accuracy 0.989  loss 0.034`."""
    return "  ".join(f"{name} {value:.4g}" for name, value in sorted(metrics))
