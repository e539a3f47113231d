"""Rows out of files: tables, JSON lines, plain lines, a folder of files."""

import codecs
import json
import re
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from modelyard.layouts import DESCRIPTION_FILE
from modelyard.layouts.chunks import Problems
from modelyard.layouts.errors import LayoutError, Problem
from modelyard.layouts.heads import UnusableError
from modelyard.layouts.media import read_text
from modelyard.layouts.names import TABLES, suffix
from modelyard.layouts.rows import read_rows, read_shape
from modelyard.layouts.strict_json import has_half_characters
from modelyard.layouts.text_files import lines as read_lines
from modelyard.sdk.errors import InvalidArgument
from modelyard.sdk.folder import Source, scan
from modelyard.sdk.predicting import histories
from modelyard.sdk.predicting.choosing import choose
from modelyard.sdk.predicting.model import MEDIA, Model, Way, find_input, listed
from modelyard.sdk.predicting.rows import Row, RowProblem

Rows = Iterator[Row | RowProblem]
_OBJECT = re.compile(r'\{\s*["}]')
"""How a JSON object begins, and hardly a line of text."""


def rows_of(path: Path, model: Model, signature: str = "", left_out: list[str] | None = None) -> Rows:
    """Each example of a file or a folder, in its order; what the model does not take is put into `left_out`.

    CSV, TSV, JSON lines and Parquet by their ending, every other file is read as plain lines, each the model's only
    input. What a model forecasts from are all of a table's rows of a series together. Raises InvalidArgument for a file
    that can't be read at all.
    """
    if path.is_dir():
        return _checked(path, _folder(path, model))
    if not path.is_file():
        raise InvalidArgument(f"{path} is no file", reason="FILE_UNREADABLE", field="--file")
    format = TABLES.get(suffix(path.name.removesuffix(".gz")), "")
    source = Source(path.stat().st_size, path)
    left_out = [] if left_out is None else left_out
    history = histories.takes(model) if format not in ("", "jsonl") and not signature else None
    if history is not None:
        return _checked(path, histories.rows_of(path, source, format, model, history))
    if format == "jsonl":
        return _checked(path, _json_lines(path, source, model, left_out))
    if format:
        return _checked(path, _table(path, source, format, model, signature, left_out))
    return _checked(path, _plain_lines(path, source, model))


def rows_of_stream(stream: BinaryIO, model: Model, left_out: list[str]) -> Rows:
    """JSON objects or plain lines as they come, one a line; what the model does not take is put into `left_out`.

    An empty line is an empty text, and nothing behind JSON, as in files.
    """
    taken, takes_lines = _Taker(model, left_out), _takes_lines(model)
    is_json = not takes_lines
    for number, line in enumerate(stream, 1):
        origin = f"line {number}"
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        try:
            text = line.decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            yield RowProblem(origin, f"is no UTF-8: byte 0x{line[error.start]:02x} at {error.start:,}")
            continue
        bare = text.strip()
        if bare.startswith("{") and (_OBJECT.match(bare) or not takes_lines):
            is_json = True
            yield _object(bare, origin, None, taken)
        elif takes_lines and (bare or not is_json):
            yield Row({"": text}, origin)
        elif bare:
            yield RowProblem(origin, f"is no JSON object, and a line of text is one value: {_wanted(model)}")


def _checked(path: Path, rows: Rows) -> Rows:
    try:
        yield from rows
    except LayoutError as error:
        raise InvalidArgument(error.message, reason=error.reason, field="--file") from error
    except OSError as error:
        raise InvalidArgument(f"{path} can't be read: {error.strerror}", reason="FILE_UNREADABLE") from error


def _folder(folder: Path, model: Model) -> Rows:
    kinds = {each.kind for way in model.ways.values() for each in way.inputs.values()}
    media = [kind for kind in MEDIA if kind in kinds]
    if not media and not any(way.only and way.only.kind == "text" for way in model.ways.values()):
        raise InvalidArgument(
            f"{folder} is a folder, and {model.name} takes neither files of images, sounds or videos nor one text",
            reason="INPUT_UNKNOWN",
            field="--file",
        )
    for path, source in sorted(scan(folder).items()):
        if path == DESCRIPTION_FILE:
            continue  # of a dataset that was pulled
        yield Row({media[0]: source.location}, path) if media else _text_file(path, source)


def _text_file(path: str, source: Source) -> Row | RowProblem:
    try:
        return Row({"": read_text(source).decode()}, path)
    except UnusableError as error:
        return RowProblem(path, str(error))


def _json_lines(path: Path, source: Source, model: Model, left_out: list[str]) -> Rows:
    problems, taken = Problems(), _Taker(model, left_out)
    for line in read_lines(str(path), source, problems):
        text = line.text.strip()
        if wrong := problems.take():
            yield RowProblem(f"{path}:{line.number}", wrong[-1].reason)
        elif text:
            yield _object(text.decode(), f"{path}:{line.number}", path.parent, taken)


def _object(text: str, origin: str, base: Path | None, taken: "_Taker") -> Row | RowProblem:
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        why = error if isinstance(error, ValueError) else "it is nested too deep"
        return RowProblem(origin, f"is not JSON: {why}")
    if "\\u" in text and has_half_characters(value):
        return RowProblem(origin, "has half a character in it (a lone \\ud8xx)")
    return Row(taken(value) if isinstance(value, dict) else {"": value}, origin, base)


class _Taker:
    """Leaves out of rows what the model does not take, such as the true answer, where the rest is all that a signature
    takes: what is misspelt is not left out, but refused."""

    def __init__(self, model: Model, left_out: list[str]) -> None:
        """`left_out` gets the names."""
        self._model = model
        self._left_out = left_out
        self._others: dict[tuple[str, ...], frozenset[str]] = {}
        """By the names of a row."""

    def __call__(self, values: dict[str, Any]) -> dict[str, Any]:
        names = tuple(values)
        if names not in self._others:
            self._others[names] = self._found(names)
        others = self._others[names]
        return {name: value for name, value in values.items() if name not in others} if others else values

    def _found(self, names: tuple[str, ...]) -> frozenset[str]:
        others = frozenset(name for name in names if not self._model.takes(name))
        if not any(_is_whole(way, names) for way in self._model.ways.values()):
            return frozenset()
        self._left_out += [name for name in names if name in others and name not in self._left_out]
        return others


def _is_whole(way: Way, names: Iterable[str]) -> bool:
    given = {each.name for name in names if (each := find_input(way, name)) is not None}
    return all(each.is_single or each.name in given for each in way.inputs.values())


def _plain_lines(path: Path, source: Source, model: Model) -> Rows:
    _only(model)
    problems = Problems()
    for line in read_lines(str(path), source, problems):
        origin = f"{path}:{line.number}"
        if wrong := problems.take():
            yield RowProblem(origin, wrong[-1].reason)
        else:
            yield Row({"": line.text.decode()}, origin, path.parent)


def _only(model: Model) -> None:
    """Raises InvalidArgument where a line is not the one value that some signature takes."""
    if not _takes_lines(model):
        raise InvalidArgument(
            f"a line of text is one value, and {_wanted(model)}; give a CSV or JSONL file",
            reason="INPUT_UNKNOWN",
            field="--file",
        )


def _takes_lines(model: Model) -> bool:
    return any(way.only for way in model.ways.values())


def _wanted(model: Model) -> str:
    takes = listed(next(iter(model.ways.values())).inputs, 40) if model.ways else "nothing that is known"
    return f"{model.name} takes {takes}"


def _table(path: Path, source: Source, format: str, model: Model, signature: str, left_out: list[str]) -> Rows:
    shape = read_shape(str(path), source, format, header=True if format == "csv" else None)
    way_names = [model.ways[signature]] if signature in model.ways else list(model.ways.values())
    chosen = Model(model.name, {way.name: way for way in way_names})
    taken = [at for at, name in enumerate(shape.header) if chosen.takes(name)]
    if not taken:
        takes = "; or ".join(way.wanted for way in way_names)
        raise InvalidArgument(
            f"{path} has the columns {listed(shape.header)}; {model.name} takes {takes}",
            reason="INPUT_UNKNOWN",
            field="--file",
        )
    left_out += [name for name in shape.header if not chosen.takes(name)]
    names = [shape.header[at] for at in taken]
    choose(model, names, signature, names)
    problems = Problems(keep=sys.maxsize)  # each is an answer
    for batch in read_rows(str(path), source, shape, problems):
        wrong = deque(problems.take())
        for number, row in zip(batch.numbers, batch.rows, strict=True):
            while wrong and wrong[0].row < number:
                yield _wrong(path, wrong.popleft())
            yield Row({name: row[at] for name, at in zip(names, taken, strict=True)}, f"{path}:{number}", path.parent)
        yield from (_wrong(path, each) for each in wrong)
    yield from (_wrong(path, each) for each in problems.take())


def _wrong(path: Path, problem: Problem) -> RowProblem:
    return RowProblem(f"{path}:{problem.row}", problem.reason)
