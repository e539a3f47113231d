"""A model that forecasts is asked at every step of a split, and what it says is compared with what came; beside it what
repeating the season reaches, and weighted sums of the same window."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.job.errors import ModelUnsuitable
from modelyard.job.session import Context
from modelyard.job.spread import spread
from modelyard.templates.evaluate.document import FORMAT, About
from modelyard.templates.evaluate.regression import Regression, mean_interval
from modelyard.templates.evaluate.weighted import WeightedSums
from modelyard.templates.fitting import DEFAULT
from modelyard.templates.saved import Saved
from modelyard.templates.series import DAY, WEEK, Grid, iso, lasting, read, seasons
from modelyard.templates.windows import Windows, best_season, check, repeated, windows

TASK = "forecasting"
OUTPUT = "forecast"
MOST = 6000
"""Windows that are judged; of more, so many, evenly spread."""
LEARNT_FROM = 20_000
EVENLY, WORST = 3, 3
"""Forecasts that are drawn."""
_SEED = 20260101
Forecasts = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Form:
    """What the model takes, by the dataset's names."""

    value: str
    time: str
    series: str
    window: int
    horizon: int


def evaluate(context: Context, model: Saved, split: str, about: About) -> dict[str, Any]:
    """evaluation.json's content. Raises ModelUnsuitable and DatasetUnsuitable."""
    form = _form(model)
    grid = read(context, form.series)
    if (grid.columns.value, grid.columns.time, grid.columns.series) != (form.value, form.time, form.series):
        raise ModelUnsuitable(
            f"the model forecasts {form.value!r} by {form.time!r}; the dataset has {grid.columns.value!r} by "
            f"{grid.columns.time!r}"
        )
    all_of = windows(grid, split, form.window, form.horizon)
    notes = [*grid.notes, *check(grid, all_of, split, form.window, form.horizon)]
    judged = all_of.where(spread(len(all_of), MOST))
    answers = _asked(context, model, form, grid, judged)
    train = windows(grid, "train", form.window, form.horizon)
    season = best_season(train if len(train) else judged, seasons(grid.step))
    naive = repeated(judged.history, form.horizon, season)
    others = {"season": naive}
    if split != "train" and len(train):
        others["linear"] = WeightedSums(train.where(spread(len(train), LEARNT_FROM))).forecast(judged)
    usual = f"repeating the last {lasting(season * grid.step)}"
    metrics = _metrics(judged, answers) | {"skill": 1 - _off(judged, answers) / max(_off(judged, naive), 1e-12)}
    floor = _metrics(judged, naive)
    return {
        "format": FORMAT,
        "kind": TASK,
        **asdict(about.told(examples=len(judged), read_as=OUTPUT, output=OUTPUT, random=())),
        "metrics": metrics,
        "intervals": _intervals(judged, answers, form.horizon * grid.step),
        "floors": {name: {"value": floor[name], "by": usual} for name in ("mae", "rmse")},
        "target": form.value,
        "step": lasting(grid.step),
        "window": form.window,
        "horizon": form.horizon,
        "season": usual,
        "windows": len(all_of),
        "notes": notes,
        "by_step": _by_step(judged, {OUTPUT: answers, **others}),
        "by_series": _by_series(grid, judged, answers, naive),
        "others": {name: _metrics(judged, forecast) for name, forecast in others.items()},
        "shown": [_shown(grid, judged, answers, naive, row) for row in _rows_to_show(judged, answers)],
        "controls": _controls(context, model, form, grid, judged, _off(judged, answers)),
        "left_out": {},
        "problems": context.data.index.problems,
    }


def _form(model: Saved) -> Form:
    """Raises ModelUnsuitable."""
    inputs = {each.name: each for each in model.signatures.get(DEFAULT, ())}
    kinds = model.kinds
    lengths = {name: each.row[0] for name, each in inputs.items() if each.row is not None and len(each.row) == 1}
    value = next((name for name, length in lengths.items() if length > 0), "")
    time = next((name for name in inputs if kinds.get(name) == "time"), "")
    outputs = model.description.get("signatures", {}).get(DEFAULT, {}).get("outputs", {})
    shape: Sequence[int] = outputs.get(OUTPUT, {}).get("shape") or ()
    if not value or not time or len(shape) != 2 or shape[1] < 1:
        raise ModelUnsuitable(
            f"signature {DEFAULT!r} takes {', '.join(map(str, inputs.values())) or 'nothing'}; a model that forecasts "
            f"takes the last values, the time of the last one, and answers {OUTPUT!r}"
        )
    series = next((name for name in inputs if name not in (value, time)), "")
    return Form(value, time, series, lengths[value], int(shape[1]))


def _asked(context: Context, model: Saved, form: Form, grid: Grid, given: Windows) -> Forecasts:
    """[n, horizon]. Raises ModelUnsuitable."""
    parts = []
    size = context.params.batch_size
    for start in range(0, len(given), size):
        some = given.where(slice(start, start + size))
        answer = model.ask(DEFAULT, _inputs(form, grid, some))
        if start == 0 and "times" in answer and bytes(answer["times"][0, 0]).decode() != iso(int(some.start[0])):
            raise ModelUnsuitable(
                f"behind {iso(int(some.start[0]) - grid.step)} the model forecasts {answer['times'][0, 0].decode()} "
                f"first, and the dataset's steps are {lasting(grid.step)}"
            )
        parts.append(np.asarray(answer[OUTPUT], np.float32))
        context.progress(start + len(some), len(given))
    found = np.concatenate(parts)
    if found.shape != given.truth.shape or not np.isfinite(found).all():
        raise ModelUnsuitable(
            f"output {OUTPUT!r} is {list(found.shape)} with {int((~np.isfinite(found)).sum())} no numbers"
        )
    return found


def _inputs(form: Form, grid: Grid, given: Windows) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {
        form.value: given.history,
        form.time: np.array([iso(int(start) - grid.step).encode() for start in given.start], object),
    }
    if form.series:
        found[form.series] = np.array([grid.series[which].name for which in given.series], object)
    return found


def _metrics(judged: Windows, forecast: Forecasts) -> dict[str, float]:
    known = np.isfinite(judged.truth)
    answers = Regression()
    answers.add(judged.truth[known].astype(np.float64), forecast[known].astype(np.float64))
    found = answers.metrics()
    return {name: found[name] for name in ("mae", "rmse", "bias")}


def _off(judged: Windows, forecast: Forecasts) -> float:
    return float(np.nanmean(np.abs(judged.truth - forecast)))


def _intervals(judged: Windows, answers: Forecasts, lasts: int) -> dict[str, list[float]]:
    """Windows that overlap share their errors: a mean counts for as much time as a forecast lasts."""
    error = np.nanmean(np.abs(judged.truth - answers), axis=1)
    _, places = np.unique(judged.start // lasts, return_inverse=True)
    means = np.bincount(places, error) / np.bincount(places)
    return {"mae": list(mean_interval(means))} if len(means) > 1 else {}


def _by_step(judged: Windows, forecasts: Mapping[str, Forecasts]) -> dict[str, list[float]]:
    """The mean absolute error of each step ahead."""
    found = {}
    for name, forecast in forecasts.items():
        error = np.abs(judged.truth - forecast)
        known = np.isfinite(error)
        found[name] = (np.where(known, error, 0).sum(0) / np.maximum(known.sum(0), 1)).tolist()
    return found


def _by_series(grid: Grid, judged: Windows, answers: Forecasts, naive: Forecasts) -> list[dict[str, Any]]:
    found = []
    for which, series in enumerate(grid.series):
        rows = np.flatnonzero(judged.series == which)
        if not len(rows):
            continue
        part = judged.where(rows)
        found.append(
            {
                "name": series.name.decode(errors="replace"),
                "windows": len(rows),
                "mean": float(np.nanmean(part.truth)),
                "mae": _off(part, answers[rows]),
                "season": _off(part, naive[rows]),
            }
        )
    return sorted(found, key=itemgetter("mae"), reverse=True)[:50]


def _rows_to_show(judged: Windows, answers: Forecasts) -> list[int]:
    """Some evenly spread, and those that are furthest off, none of which overlap."""
    error = np.nanmean(np.abs(judged.truth - answers), axis=1)
    rows = [int(row) for row in spread(len(judged), EVENLY + 2)[1:-1]] or [0]
    for row in np.argsort(-error, kind="stable").tolist():
        if len(rows) >= EVENLY + WORST:
            break
        near = np.abs(judged.start[rows] - judged.start[row]) < (judged.start.max() - judged.start.min()) / 20
        if not (near & (judged.series[rows] == judged.series[row])).any():
            rows.append(row)
    return rows


def _shown(grid: Grid, judged: Windows, answers: Forecasts, naive: Forecasts, row: int) -> dict[str, Any]:
    horizon = answers.shape[1]
    return {
        "series": grid.series[judged.series[row]].name.decode(errors="replace"),
        "start": iso(int(judged.start[row])),
        "mae": float(np.nanmean(np.abs(judged.truth[row] - answers[row]))),
        "before": _plain(judged.history[row, -2 * horizon :]),
        "truth": _plain(judged.truth[row]),
        OUTPUT: _plain(answers[row]),
        "season": _plain(naive[row]),
    }


def _plain(values: NDArray[Any]) -> list[float | None]:
    return [float(f"{value:.5g}") if np.isfinite(value) else None for value in values]


def _controls(
    context: Context, model: Saved, form: Form, grid: Grid, judged: Windows, as_is: float
) -> list[dict[str, Any]]:
    """What is left where the past is out of order, or the calendar is another one."""
    random = np.random.default_rng(_SEED)
    mixed = random.permuted(judged.history, axis=1)
    moved = calendar_moved(grid.step)
    ways: list[tuple[str, str, Callable[[], Windows]]] = [
        (
            f"{form.value} out of order",
            "What is left did not need the order of the past.",
            lambda: Windows(mixed, judged.truth, judged.start, judged.series),
        ),
        (
            f"{form.time} moved by {lasting(moved)}",
            "What is left did not need the calendar.",
            lambda: Windows(judged.history, judged.truth, judged.start + moved, judged.series),
        ),
    ]
    return [
        {
            "name": name,
            "says": says,
            "metric": "mae",
            "as_is": as_is,
            "value": _off(judged, _asked(context, model, form, grid, change())),
            "examples": len(judged),
        }
        for name, says, change in ways
    ]


def calendar_moved(step: int) -> int:
    """By how many seconds the calendar of a series with steps of so many is moved: half of the shortest period that it
    can see, of a day, a week and a year, in whole steps. A whole day or week would leave it as it is."""
    period = next((each for each in (DAY, WEEK, 52 * WEEK) if each > step), 2 * step)
    return max(1, period // 2 // step) * step


def is_for(model: Saved) -> bool:
    """Whether it is a model that forecasts."""
    return bool(model.description.get("task") == TASK)
