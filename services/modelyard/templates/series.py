"""Values that follow each other in time: the series of a dataset on a grid of equal steps, and windows of them.

Forecasting learns from them, and an evaluation judges with them; NumPy only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelyard.job.errors import DatasetUnsuitable
from modelyard.layouts import Feature
from modelyard.layouts.chunks import MISSING_TIME

if TYPE_CHECKING:
    from modelyard.job.session import Context

SPLITS = ("train", "validation", "test")
HELD_OUT = 0.1
"""The share of the time, its end, that is held out where rows were split by their hash."""
SPARSEST = 4
"""Steps for a value; a series with fewer values is none with equal steps."""
DAY, WEEK = 86_400, 7 * 86_400
_UNITS = ((WEEK, "week"), (DAY, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


@dataclass(frozen=True, slots=True)
class Columns:
    """Where in the dataset they are."""

    time: str
    value: str
    series: str = ""
    """What tells series apart; "" where there is one only."""


@dataclass(frozen=True, slots=True)
class Series:
    """One of them, without gaps: a step that the dataset lacks is missing."""

    name: bytes
    start: int
    """Seconds since 1970, of the first step."""
    values: NDArray[np.float32]
    """[steps], NaN where missing."""
    splits: NDArray[np.int8]
    """[steps], numbers of `SPLITS`; -1 where missing."""


@dataclass(frozen=True, slots=True)
class Grid:
    """All series of a dataset."""

    columns: Columns
    step: int
    """In seconds."""
    series: tuple[Series, ...]
    notes: tuple[str, ...]
    """What should be known about the data."""


def columns(features: Sequence[Feature], asked: str = "") -> Columns:
    """`asked` names the column that tells series apart. Raises DatasetUnsuitable."""
    values = [each.name for each in features if each.role == "target" and each.kind == "number" and each.shape == ()]
    times = [each.name for each in features if each.kind == "time" and each.role in ("input", "time", "group")]
    for found, wanted in ((values, "number as its target"), (times, "column of times")):
        if len(found) != 1:
            there = f": {', '.join(found)}" if found else ""
            raise DatasetUnsuitable(f"forecasting needs one {wanted}; the dataset has {len(found) or 'none'}{there}")
    names = [each.name for each in features if each.kind in ("category", "id") and each.role in ("input", "group")]
    if asked and asked not in names:
        raise DatasetUnsuitable(
            f"there is no column {asked!r} that tells series apart; there is {', '.join(names) or 'none'}",
            field="parameters.series",
        )
    if not asked and len(names) > 1:
        raise DatasetUnsuitable(
            f"{len(names)} columns may tell series apart ({', '.join(names)}); say which one does: "
            f"--set series={names[0]}",
            field="parameters.series",
        )
    return Columns(times[0], values[0], asked or (names[0] if names else ""))


def read(context: "Context", asked: str = "") -> Grid:
    """All splits of the job's dataset. Raises DatasetUnsuitable."""
    where = columns(list(context.features.values()), asked)
    time, value, name, split, row = _rows(context, where)
    notes = []
    if lost := int((time == MISSING_TIME).sum()):
        notes.append(f"{lost:,} rows have no time and are left out")
    order = np.lexsort((time, name))
    order = order[time[order] != MISSING_TIME]
    time, value, name, split, row = (each[order] for each in (time, value, name, split, row))
    stored = split

    def path(number: int) -> str:
        return context.example_path(SPLITS[stored[number]], int(row[number]))

    if context.data.index.description.split_rule.by == "hash":
        cut = float(np.quantile(time, 1 - HELD_OUT)) if len(time) else 0.0
        split = np.where(time < cut, 0, 2).astype(np.int8)
        notes.append(
            f"rows were split by their hash, which is nothing for a series: what is after {iso(int(cut))} is held out"
        )
    same = name[1:] == name[:-1]
    apart = np.diff(time)
    if twice := np.flatnonzero(same & (apart == 0)).tolist():
        at = twice[0] + 1
        raise DatasetUnsuitable(
            f"{path(at)}: {_called(name[at])} has {iso(time[at])} twice; leave one of them out"
            f"{_or_more_columns(context, where)}"
        )
    steps, counts = np.unique(apart[same], return_counts=True)
    if not len(steps):
        raise DatasetUnsuitable("no series has two values; there is nothing to forecast from")
    step = int(steps[counts.argmax()])
    found, sparse = [], []
    for start, stop in _runs(name):
        places, left = np.divmod(time[start:stop] - time[start], step)
        length = int(places[-1]) + 1
        if length > SPARSEST * (stop - start):
            sparse.append(f"{_called(name[start])} has {stop - start:,} values in {length:,} steps of {lasting(step)}")
            continue
        if left.any():
            at = start + int(np.flatnonzero(left)[0])
            raise DatasetUnsuitable(
                f"{path(at)}: {iso(time[at])} is no whole number of steps of {lasting(step)} behind "
                f"{iso(time[start])}, where {_called(name[at])} begins; forecasting takes series with equal steps"
            )
        found.append(_series(name[start], int(time[start]), length, places, value[start:stop], split[start:stop]))
    needed = f"at least every {SPARSEST}th is needed"
    if not found:
        raise DatasetUnsuitable(f"{sparse[0]}; {needed}{', and no series has it' if len(sparse) > 1 else ''}")
    if sparse:
        notes.append(f"{len(sparse):,} series are left out, as {needed}: {', '.join(sparse[:5])}")
    return Grid(where, step, tuple(found), (*notes, *_gaps(found, step)))


def _or_more_columns(context: "Context", where: Columns) -> str:
    """What else may be so where a time is there twice: a shop's days are there once for each of its goods."""
    others = [
        each.name
        for each in context.features.values()
        if each.name not in (where.time, where.value, where.series) and each.role in ("input", "group")
    ]
    if not others:
        return ""
    return (
        f", or, where other columns tell series apart{' too' if where.series else ''} (there is "
        f"{', '.join(others[:5])}), write all that do into one column of texts, such as 'north-3', and say "
        "--set series=NAME"
    )


def _rows(context: "Context", where: Columns) -> tuple[NDArray[Any], ...]:
    """Time, value, series, split and row of each; a value that is no number is missing."""
    parts = []
    for number, split in enumerate(SPLITS):
        if not context.splits.get(split):
            continue
        names = [where.time, *([where.series] if where.series else []), where.value]
        inputs, values = context.arrays(split, columns=names)
        times, series = (inputs[where.time], inputs[where.series]) if where.series else (inputs, None)
        count = len(times)
        called = np.zeros(count, "S1") if series is None else np.asarray(series).astype(np.bytes_)
        parts.append((times, values, called, np.full(count, number, np.int8), np.arange(count)))
    return tuple(np.concatenate(each) for each in zip(*parts, strict=True))


def _runs(names: NDArray[np.bytes_]) -> list[tuple[int, int]]:
    edges = [0, *(np.flatnonzero(names[1:] != names[:-1]) + 1).tolist(), len(names)]
    return list(pairwise(edges))


def _series(
    name: bytes, start: int, length: int, places: NDArray[Any], values: NDArray[Any], splits: NDArray[Any]
) -> Series:
    grid, of = np.full(length, np.nan, np.float32), np.full(length, -1, np.int8)
    grid[places], of[places] = values, splits
    of[~np.isfinite(grid)] = -1
    return Series(bytes(name), start, grid, of)


def _gaps(found: Sequence[Series], step: int) -> list[str]:
    missing = [(each, np.flatnonzero(each.splits < 0)) for each in found]
    lost, total = sum(len(at) for _, at in missing), sum(len(each.values) for each in found)
    if not lost:
        return []
    series, at = next((each, at) for each, at in missing if len(at))
    return [
        f"{lost:,} of {total:,} steps of {lasting(step)} are missing, the first {iso(series.start + int(at[0]) * step)}"
        f"{f' of {_called(series.name)}' if series.name else ''}; they count as unknown"
    ]


def _called(name: bytes) -> str:
    return f"series {name.decode(errors='replace')!r}" if name else "the series"


def iso(seconds: int) -> str:
    """`2011-12-31T23:00`, of UTC; with its seconds where it is not on a minute."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime(f"%Y-%m-%dT%H:%M{':%S' if seconds % 60 else ''}")


def lasting(seconds: int) -> str:
    """`1 hour`, `90 minutes`."""
    size, unit = next((size, unit) for size, unit in _UNITS if seconds % size == 0)
    count = seconds // size
    return f"{count:,} {unit}{'' if count == 1 else 's'}"


def seasons(step: int) -> tuple[int, ...]:
    """After how many steps things may come again: a day, a week, a year of weeks."""
    periods = (DAY, WEEK) if step < DAY else (WEEK,) if step < WEEK else (52 * WEEK,)
    return tuple(period // step for period in periods if period > step and period % step == 0)
