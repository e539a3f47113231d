"""What `plain_templates.py` does, of clips, series and running text: a model, and examples to train and to judge by."""

import csv
import importlib
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np

from modelyard.layouts import clips
from modelyard.templates.series import SPLITS, Columns, Grid, Series
from modelyard.templates.windows import windows

Values = dict[str, Any]


def motions(network: str, folder: Path, values: Values) -> tuple[Any, Any, Any]:
    """GIFs in a folder a class."""
    names = sorted(each.name for each in (folder / "train").iterdir())

    def read(split: str) -> tuple[Any, Any]:
        paths = sorted((folder / split).glob("*/*.gif"))
        decoded = [clips.decode(path.read_bytes(), values["frames"], 48, 48) for path in paths]
        return np.stack(decoded), np.array([names.index(path.parent.name) for path in paths])

    train, held_out = read("train"), read("validation")
    model = importlib.import_module("frame_networks").build(
        network,
        train[0].shape[1:],
        name="video",
        classes=len(names),
        shift=values["augment"] == "shift",
        seed=0,
        **{name: values[name] for name in ("units", "dropout")},
    )
    model.compile(
        keras.optimizers.Adam(values["learning_rate"]), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model, train, held_out


def plays(network: str, folder: Path, values: Values) -> tuple[Any, Any, Any]:
    """Files of running text."""
    template, networks = (importlib.import_module(name) for name in ("text_generation", "character_networks"))

    def read(split: str) -> Any:
        texts = [path.read_text(encoding="utf-8") for path in sorted(folder.glob(f"{split}-*.txt"))]
        return template.code_points("\n".join(texts))

    train = read("train")
    symbols = template.learn_symbols(train, values["symbols"])
    model = networks.build(
        network,
        symbols=len(symbols) + 1,
        **{name: values[name] for name in ("units", "depth", "dropout", "window")},
    )
    model.compile(
        keras.optimizers.Adam(values["learning_rate"], clipnorm=1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.MeanMetricWrapper(networks.bits, name="bits")],
    )
    return model, *(
        template.windows(template.numbered(points, symbols), values["window"]) for points in (train, read("validation"))
    )


def hours(network: str, folder: Path, values: Values) -> tuple[Any, Any, Any]:
    """A table of times, riders and bikers."""
    networks = importlib.import_module("forecast_networks")
    found: dict[str, dict[int, tuple[float, int]]] = defaultdict(dict)
    for number, split in enumerate(SPLITS):
        with (folder / f"{split}.csv").open(encoding="utf-8") as file:
            for row in csv.DictReader(file):
                time = datetime.fromisoformat(row["time"]).replace(tzinfo=UTC).timestamp()
                found[row["rider"]][int(time) // 3600] = float(row["bikers"]), number
    grid = Grid(Columns("time", "bikers", "rider"), 3600, tuple(_series(each) for each in found.values()), ())
    horizon, window = values["horizon"], 168
    train, held_out = (windows(grid, split, window, horizon) for split in ("train", "validation"))
    form = networks.Form(window, horizon, 3600, 240 * 86_400, [24, 168], len(found), 1.0)
    model = networks.build(network, form, units=values["units"], dropout=values["dropout"])
    model.compile(
        keras.optimizers.AdamW(values["learning_rate"], weight_decay=values["weight_decay"]),
        "mean_absolute_error",
        metrics=["mean_absolute_error"],
    )
    return model, *(
        (
            {"history": each.history, "start": each.start, "series": each.series.astype(np.int32)},
            np.nan_to_num(each.truth),
        )
        for each in (train, held_out)
    )


def _series(known: dict[int, tuple[float, int]]) -> Series:
    first, last = min(known), max(known)
    values, splits = np.full(last - first + 1, np.nan, np.float32), np.full(last - first + 1, -1, np.int8)
    for hour, (value, split) in known.items():
        values[hour - first], splits[hour - first] = value, split
    return Series(b"", first * 3600, values, splits)


READERS = {"video-classification": motions, "text-generation": plays, "forecasting": hours}
