"""Fashion-MNIST: 70,000 pictures of clothes."""

import gzip
import shutil
from collections.abc import Sequence
from pathlib import Path

from modelyard.sdk.gallery.packages import Deb
from modelyard.sdk.gallery.sets import Set, Steps

_FOLDER = "usr/share/datasets/fashion-mnist"
_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def make(packages: Sequence[Path], folder: Path, steps: Steps) -> None:
    """The four IDX files."""
    for number, name in enumerate(_FILES):
        steps(number, len(_FILES))
        with gzip.open(packages[0] / _FOLDER / f"{name}.gz") as packed, (folder / name).open("wb") as plain:
            shutil.copyfileobj(packed, plain)


FASHION_MNIST = Set(
    name="fashion-mnist",
    modality="image",
    title="Fashion-MNIST: 70,000 pictures of clothes, 28 × 28, ten classes; 60,000 to train, 10,000 held out",
    licence="MIT",
    origin="Xiao, Rasul & Vollgraf, Zalando, 2017",
    packages=(
        Deb(
            "dataset-fashion-mnist",
            "0.0~git20200523.55506a9-1",
            "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0",
            30_900_652,
        ),
    ),
    digest="d0a13531871adf77cb1d75902c9d2a2fdf613723748f5e8c24e0169faf064dc8",
    size=54_950_048,
    make=make,
)
