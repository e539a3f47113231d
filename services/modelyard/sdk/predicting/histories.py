"""Rows of a table as what a forecast is made from: of each series its last values, and the time of the last one.

A forecasting model's inputs are called like the table's columns: one takes so many values, one the time of the last of
them, and one, where there is any, the name of the series.
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from modelyard.layouts import values
from modelyard.layouts.chunks import MISSING_TIME, Problems
from modelyard.layouts.names import identifier
from modelyard.layouts.rows import read_rows, read_shape
from modelyard.sdk.errors import InvalidArgument
from modelyard.sdk.folder import Source
from modelyard.sdk.predicting.model import DEFAULT, Model, listed
from modelyard.sdk.predicting.rows import Row, RowProblem

TASK = "forecasting"
FIRST, LAST = -62_135_596_800, 253_402_300_799
"""Of the years 1 to 9999, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Takes:
    """What the model's inputs are called."""

    value: str
    time: str
    series: str
    window: int


def takes(model: Model) -> Takes | None:
    """None for a model that does not forecast."""
    way = model.ways.get(DEFAULT)
    if model.task != TASK or way is None:
        return None
    lengths = {
        each.name: each.row_shape[0] for each in way.inputs.values() if each.row_shape and each.dtype != "string"
    }
    times = [each.name for each in way.inputs.values() if each.kind == "time"]
    if len(lengths) != 1 or len(times) != 1:
        return None
    ((value, window),) = lengths.items()
    series = [name for name in way.inputs if name not in (value, times[0])]
    return Takes(value, times[0], series[0] if series else "", window)


def rows_of(path: Path, source: Source, format: str, model: Model, wanted: Takes) -> Iterator[Row | RowProblem]:
    """One a series, in the order in which they first come. Raises InvalidArgument for a table without their columns."""
    shape = read_shape(str(path), source, format, header=True if format == "csv" else None)
    places = {
        name: _place(shape.header, name, path, model) for name in (wanted.time, wanted.value, wanted.series) if name
    }
    found: dict[str, dict[int, tuple[int, float]]] = defaultdict(dict)
    problems = Problems(keep=sys.maxsize)  # each is an answer
    for batch in read_rows(str(path), source, shape, problems):
        yield from _said(problems)
        for number, row in zip(batch.numbers, batch.rows, strict=True):
            name = row[places[wanted.series]].strip() if wanted.series else ""
            try:
                time = values.seconds(row[places[wanted.time]])
                value = values.number(row[places[wanted.value]])
            except ValueError as error:
                yield RowProblem(f"{path}:{number}", f"has neither a time nor a number where one is due: {error}")
                continue
            if time == MISSING_TIME:
                yield RowProblem(f"{path}:{number}", f"has no time in {shape.header[places[wanted.time]]!r}")
            elif not FIRST <= time <= LAST:
                yield RowProblem(
                    f"{path}:{number}",
                    f"has {row[places[wanted.time]]} as its time, which is no number of seconds since 1970; "
                    "milliseconds are divided by 1,000",
                )
            elif time in found[name]:
                yield RowProblem(f"{path}:{number}", f"has the time of row {found[name][time][0]} again")
            else:
                found[name][time] = (number, value)
    yield from _said(problems)
    for name, series in found.items():
        yield _row(path, name, {time: value for time, (_, value) in series.items()}, wanted)


def _place(header: Sequence[str], name: str, path: Path, model: Model) -> int:
    found = [at for at, each in enumerate(header) if identifier(each) == identifier(name)]
    if len(found) != 1:
        raise InvalidArgument(
            f"{path} has the columns {listed(header)}; {model.name} forecasts from {name!r}",
            reason="INPUT_MISSING",
            field=name,
        )
    return found[0]


def _said(problems: Problems) -> Iterator[RowProblem]:
    yield from (RowProblem(f"{each.path}:{each.row}", each.reason) for each in problems.take())


def _row(path: Path, name: str, series: Mapping[int, float], wanted: Takes) -> Row | RowProblem:
    """The last `window` steps; what is missing among them is missing."""
    origin = f"{path}, {name}" if name else str(path)
    times = sorted(series)
    steps = Counter(b - a for a, b in pairwise(times))
    step = steps.most_common(1)[0][0] if steps else 0
    length = (times[-1] - times[0]) // step + 1 if step else len(times)
    if length < wanted.window:
        return RowProblem(
            origin, f"has {length:,} steps of {wanted.value}; {wanted.window:,} are needed to forecast from"
        )
    off = next((time for time in times if step and (times[-1] - time) % step), None)
    if off is not None:
        return RowProblem(
            origin,
            f"has the time {_shown(off)}, which is no whole number of steps of {step:,} s before the last, "
            f"{_shown(times[-1])}; what is missing may be missing, but times must be of one grid",
        )
    past = [series.get(times[-1] - back * step) for back in range(wanted.window - 1, -1, -1)]
    row = {wanted.value: past, wanted.time: _shown(times[-1])}
    return Row(row | ({wanted.series: name} if wanted.series else {}), origin, path.parent)


def _shown(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%S")
