"""How many bicycles were hired in each hour, as series that go on."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

from modelyard.layouts import Options
from modelyard.sdk.gallery.sets import Set, Steps
from modelyard.sdk.gallery.tables.bikeshare import ISLP, LICENCE, ORIGIN, hours
from modelyard.sdk.gallery.writing import SPLITS, write_splits

_RIDERS = ("casual", "registered")
_LAST = {"train": 273, "validation": 304, "test": 365}
"""Days of the year: to the end of September, October, and what is left."""


def make(packages: Sequence[Path], folder: Path, steps: Steps) -> None:
    """A row an hour for those who ride now and then and one for those with a yearly pass; 115 hours are missing."""
    splits: dict[str, list[list[str]]] = {split: [] for split in SPLITS}
    for row in hours(packages):
        day = int(row["day"])
        time = f"{date(2011, 1, 1) + timedelta(day - 1)}T{int(row['hr']):02}:00"
        split = next(split for split, last in _LAST.items() if day <= last)
        splits[split] += [[time, rider, row[rider]] for rider in _RIDERS]
    write_splits(folder, ("time", "rider", "bikers"), splits)


BIKESHARE_HOURS = Set(
    name="bikeshare-hours",
    modality="table",
    title="8,645 hours of bicycle hire in Washington in 2011, two kinds of riders; November and December are held out",
    licence=LICENCE,
    origin=ORIGIN,
    packages=(ISLP,),
    digest="29e3c16acadaae15fa2b13df7d198ebcdb2454e8ad8263b444635f8f63fb6ab6",
    size=501_016,
    make=make,
    options=Options(target="bikers"),
)
