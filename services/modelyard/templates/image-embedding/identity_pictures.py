"""The pictures of a split by who or what is on them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelyard.job import context
from modelyard.job.errors import DatasetUnsuitable


@dataclass(frozen=True)
class Pictures:
    """n of them, those of one identity behind another."""

    pixels: NDArray[np.uint8]
    """[n, height, width, channels]."""
    identities: NDArray[np.int64]
    """[n], rising: places in the dataset's classes."""
    rows: NDArray[np.int64]
    """[n]: their numbers in the split."""

    def __len__(self) -> int:
        return len(self.identities)

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where each identity's begin, and the end of the last."""
        return np.append(np.flatnonzero(np.diff(self.identities, prepend=-1)), len(self))

    def where(self, which: NDArray[Any]) -> "Pictures":
        """Some of them, by a mask or by rising places."""
        return Pictures(self.pixels[which], self.identities[which], self.rows[which])


def features() -> tuple[str, str]:
    """The image, and the category that says who or what it is. Raises DatasetUnsuitable."""
    all_of = context.features.values()
    images = [each.name for each in all_of if each.kind == "image" and each.role == "input"]
    labels = [each.name for each in all_of if each.kind == "category" and each.role == "target" and each.shape == ()]
    for what, found in (("image", images), ("category as its target", labels)):
        if len(found) != 1:
            there = ", ".join(f"{each.name} ({each.kind})" for each in all_of)
            raise DatasetUnsuitable(f"image-embedding wants one {what}, and the dataset has {len(found)}: {there}")
    return images[0], labels[0]


def load(split: str, names: tuple[str, str], size: int) -> Pictures:
    """Those whose identity is known."""
    pixels, labels = context.arrays(split, image_size=size, columns=[*names])
    known = np.flatnonzero(labels >= 0)
    rows = known[np.argsort(labels[known], kind="stable")]
    return Pictures(pixels[rows], np.asarray(labels[rows]), rows)


def learnt(names: tuple[str, str], size: int) -> Pictures:
    """Of split `train`. Raises DatasetUnsuitable."""
    found = load("train", names, size)
    count = len(found.starts) - 1
    if count < 2:
        only = f"one identity only ({context.classes[int(found.identities[0])]!r})" if count else "no identity"
        raise DatasetUnsuitable(f"split 'train' has {only}; there is no other to tell it from")
    alone = int((np.diff(found.starts) == 1).sum())
    said = f"{len(found):,} pictures of {count:,} identities"
    if alone:
        said += f"; of {alone:,} there is one picture only, which is compared with itself as it changes"
    context.report_text("data", said)
    return found


def unseen(names: tuple[str, str], size: int, train: Pictures) -> Pictures | None:
    """What is held out, without identities that are learnt from; None where there is nothing.

    Raises DatasetUnsuitable where all of it is learnt from: what is known already says nothing about others.
    """
    if context.held_out is None:
        return None
    found = load(context.held_out, names, size)
    known = np.isin(found.identities, train.identities)
    if len(found) and known.all():
        raise DatasetUnsuitable(
            f"each of the {len(np.unique(found.identities)):,} identities of split {context.held_out!r} is in 'train' "
            "too, and a figure over these says nothing about others: put all pictures of an identity into one split "
            "(train/NAME/…, test/NAME/…)",
            field="dataset",
        )
    if known.any():
        crossing = len(np.unique(found.identities[known]))
        said = f"{crossing:,} identities of split {context.held_out!r} are in 'train' too; they are not judged"
        context.report_text("identities", said)
    return found.where(~known)


def encoded(pictures: NDArray[np.uint8]) -> NDArray[Any]:
    """As PNG."""
    import tensorflow as tf

    return np.array([tf.io.encode_png(picture).numpy() for picture in pictures])
