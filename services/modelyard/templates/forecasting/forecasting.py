"""What comes next in series of numbers: so many steps ahead, from a window of the past and the calendar."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from forecast_networks import Form, build
from forecaster import Forecaster
from keras import ops

from modelyard.job import context
from modelyard.job.spread import spread
from modelyard.templates.samples import SHOWN as WATCHED
from modelyard.templates.samples import Samples
from modelyard.templates.series import Grid, iso, lasting, read, seasons
from modelyard.templates.windows import Windows, absolute, best_season, check, repeated, windows

LONGEST = 400
"""Steps of a window, where nobody says how many."""
SHOWN = 16
"""Windows whose forecasts are kept with the model."""
STEPS_SHOWN = 6
"""Of a forecast, while it learns."""


def main() -> None:
    """Train on the split `train`, judge on what the dataset holds out, export what forecasts."""
    params = context.params
    grid = read(context, params.series)
    window = params.window or usual_window(grid.step, params.horizon)
    train = windows(grid, "train", window, params.horizon)
    notes = [*grid.notes, *check(grid, train, "train", window, params.horizon)]
    held_out = windows(grid, context.held_out, window, params.horizon) if context.held_out else None
    if held_out is not None and not len(held_out):
        notes += [
            f"split {context.held_out!r} has no {params.horizon:,} steps in a row; it is not judged while training"
        ]
    say(grid, train, window, notes)
    form = Form(
        window=window,
        horizon=params.horizon,
        step=grid.step,
        span=int(train.start.max() - train.start.min()) + window * grid.step,
        seasons=[each for each in seasons(grid.step) if each <= window],
        series=len(grid.series),
        least=0.05 * float(np.nanstd(train.truth)) + 1e-6,
    )
    with context.strategy.scope():
        network = build(params.network, form, units=params.units, dropout=params.dropout)
        compiled(network, float(np.nanmean(np.abs(train.truth))) or 1.0, -(-len(train) // params.batch_size))
    shown = held_out if held_out is not None and len(held_out) else train
    network.fit(
        *fed(train),
        batch_size=params.batch_size,
        validation_data=fed(held_out) if held_out is not None and len(held_out) else None,
        epochs=params.epochs,
        callbacks=[Samples(context, lambda: ahead(network, grid, shown)), *context.callbacks()],
        verbose=2,
    )
    names = [each.name for each in grid.series]
    model = Forecaster(network, grid.columns, names, window, params.horizon, grid.step)
    context.export(model, signature=model.specs(), examples=examples(grid, shown), task="forecasting")


def usual_window(step: int, horizon: int) -> int:
    """The longest season that is no longer than LONGEST, and at least two horizons."""
    fitting = [each for each in seasons(step) if each <= LONGEST]
    return max([*fitting, 2 * horizon])


def say(grid: Grid, train: Windows, window: int, notes: list[str]) -> None:
    """What is learnt from, and what repeating the season reaches on it."""
    horizon = train.truth.shape[1]
    season = best_season(train, seasons(grid.step))
    naive = absolute(train.truth, repeated(train.history, horizon, season))
    context.report_text(
        "data",
        f"{len(train):,} windows of {window:,} + {horizon:,} steps of {lasting(grid.step)} in {len(grid.series):,} "
        f"series, the first from {iso(int(train.start.min()) - window * grid.step)}; repeating the last "
        f"{lasting(season * grid.step)} is {naive:.4g} off on average",
    )
    if notes:
        context.report_text("notes", "; ".join(notes))


def fed(given: Windows) -> tuple[dict[str, Any], Any]:
    """As the network takes them."""
    inputs = {"history": given.history, "start": given.start, "series": given.series.astype(np.int32)}
    return inputs, given.truth


def compiled(network: keras.Model, scale: float, steps: int) -> None:
    """The loss is the absolute error over what is known, of the values' mean size."""
    params = context.params

    def off(truth: Any, forecast: Any) -> Any:
        known = ops.isfinite(truth)
        error = ops.where(known, ops.abs(ops.where(known, truth, 0.0) - forecast), 0.0)
        return ops.sum(error, axis=-1) / ops.maximum(ops.sum(ops.cast(known, "float32"), axis=-1), 1.0)

    def loss(truth: Any, forecast: Any) -> Any:
        return off(truth, forecast) / scale

    rate = keras.optimizers.schedules.CosineDecay(params.learning_rate, steps * params.epochs, alpha=0.01)
    network.compile(
        keras.optimizers.AdamW(rate, weight_decay=params.weight_decay),
        loss,
        metrics=[keras.metrics.MeanMetricWrapper(off, name="mae")],
    )


def ahead(network: keras.Model, grid: Grid, given: Windows) -> Iterator[str]:
    """A few forecasts, and what came."""
    some = given.where(spread(len(given), WATCHED))
    forecasts = np.asarray(network(fed(some)[0], training=False))
    steps = spread(some.truth.shape[1], STEPS_SHOWN)
    for at, start in enumerate(some.start.tolist()):
        both = (forecasts[at, steps], some.truth[at, steps])
        said, came = (" ".join(f"{value:.4g}" for value in values.tolist()) for values in both)
        times = ", ".join(str(step + 1) for step in steps.tolist())
        name = f"{grid.series[some.series[at]].name.decode(errors='replace')}, " if grid.columns.series else ""
        yield f"{name}from {iso(start)}, step {times}: **{said}** ({came})"


def examples(grid: Grid, given: Windows) -> dict[str, Any]:
    """A few windows as clients send them."""
    some = given.where(spread(len(given), SHOWN))
    found: dict[str, Any] = {
        grid.columns.value: some.history,
        grid.columns.time: np.array([iso(int(start) - grid.step) for start in some.start], np.bytes_),
    }
    if grid.columns.series:
        found[grid.columns.series] = np.array([grid.series[which].name for which in some.series], np.bytes_)
    return found
