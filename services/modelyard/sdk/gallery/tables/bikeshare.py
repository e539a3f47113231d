"""How many bicycles were hired in an hour."""

import csv
import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from modelyard.layouts import Options
from modelyard.sdk.gallery.packages import Wheel
from modelyard.sdk.gallery.sets import Set, Steps
from modelyard.sdk.gallery.splits import split_of
from modelyard.sdk.gallery.writing import SPLITS, write_splits

ISLP = Wheel("ISLP", "0.6.0", ("ca772cecca1747a2f84ee799a5503ddddbdf0e98f90c235494790c1d036c694b",), 16_593_353)
LICENCE = "BSD-3-Clause (the package)"
ORIGIN = "Capital Bikeshare by Fanaee-T & Gama, as in James et al., An Introduction to Statistical Learning"
_MEMBER = "ISLP/data/Bikeshare.csv"
_COLUMNS = (
    "season",
    "mnth",
    "day",
    "hr",
    "holiday",
    "weekday",
    "workingday",
    "weathersit",
    "temp",
    "atemp",
    "hum",
    "windspeed",
    "bikers",
)
"""Without `casual` and `registered`, whose sum is `bikers`."""


def make(packages: Sequence[Path], folder: Path, steps: Steps) -> None:
    """The hours of a day stay on the same side of the split: the hour before would tell too much."""
    splits: dict[str, list[list[str]]] = {split: [] for split in SPLITS}
    for row in hours(packages):
        splits[split_of(f"day{row['day']}")].append([row[column] for column in _COLUMNS])
    write_splits(folder, _COLUMNS, splits)


def hours(packages: Sequence[Path]) -> Iterator[dict[str, str]]:
    """The table's rows, an hour each."""
    with zipfile.ZipFile(packages[0]) as archive, archive.open(_MEMBER) as member:
        yield from csv.DictReader(io.TextIOWrapper(member, "utf-8", newline=""))


BIKESHARE = Set(
    name="bikeshare",
    modality="table",
    title="8,645 hours of bicycle hire in Washington in 2011, with the weather; split by day",
    licence=LICENCE,
    origin=ORIGIN,
    packages=(ISLP,),
    digest="aaffa86d17c225a4c1d87770d74649cbc062a58645ade0409c44d14bbf23c591",
    size=464_426,
    make=make,
    options=Options(target="bikers", features={"day": {"kind": "number", "role": "group"}}),
)
