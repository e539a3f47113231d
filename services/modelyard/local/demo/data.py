"""MNIST as a dataset, and its held-out images."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from modelyard.cli.bars import byte_bars
from modelyard.cli.output import bytes_text
from modelyard.local.demo import DATASET
from modelyard.local.demo.phases import say
from modelyard.sdk import Client, gallery
from modelyard.sdk.names import short

if TYPE_CHECKING:
    from numpy.typing import NDArray

_IMAGES_HEADER, _LABELS_HEADER = 16, 8
_SIDE = 28


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What the model has not been trained on."""

    images: "NDArray[np.uint8]"
    """[n, 28, 28, 1]"""
    labels: "NDArray[np.uint8]"
    """[n]"""


def bring(client: Client) -> str:
    """The dataset version with all 70,000 images; full name."""
    mnist = gallery.find(DATASET)
    with byte_bars(quiet=False) as progress:
        pushed = mnist.bring(client, DATASET, progress)
    name = short(pushed.version)
    if pushed.unchanged:
        say(f"{name} is there already, with the same content; nothing was sent")
    else:
        say(f"{name}: {mnist.title}")
        say(f"{bytes_text(pushed.sent_bytes)} sent; licence: {mnist.licence}")
    return pushed.version


def held_out() -> HeldOut:
    """The 10,000 images that the set's own split keeps for the test."""
    folder = gallery.find(DATASET).fetch()
    images = np.fromfile(folder / "t10k-images-idx3-ubyte", np.uint8, offset=_IMAGES_HEADER)
    labels = np.fromfile(folder / "t10k-labels-idx1-ubyte", np.uint8, offset=_LABELS_HEADER)
    return HeldOut(images.reshape(-1, _SIDE, _SIDE, 1), labels)
