"""Which examples the page shows, and what of them was kept while they went by."""

import base64
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelyard.job.columns import Column
from modelyard.job.index import Index
from modelyard.job.spread import spread
from modelyard.templates.profile.portions import Portion

if TYPE_CHECKING:
    from PIL import Image

MOST = {"image": 60, "audio": 12, "video": 12, "text": 16, "table": 20, "interactions": 20}
SIDE = 160
"""Of a shown image, at most."""
_BLOCK = 1 << 16
_ENLARGED = 48
"""Smaller images are shown with their pixels as they are."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image as a data URI, and how large it was."""

    source: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Sound:
    """What a sound looks like."""

    low: Sequence[float]
    """The envelope."""
    high: Sequence[float]
    spectrogram: str
    """A data URI."""
    seconds: float
    """The whole sound."""
    spectrogram_seconds: float
    """What is drawn, its beginning."""
    nyquist: float


@dataclass(frozen=True, slots=True)
class Strip:
    """Frames of a video, evenly spaced."""

    frames: Sequence[Picture]
    seconds: float


Shown = Picture | Sound | Strip


@dataclass
class Samples:
    """Rows are chosen before anything is read; media are kept by row and feature."""

    split: str = ""
    rows: Sequence[int] = ()
    media: dict[tuple[int, str], Shown] = field(default_factory=dict)

    def wanted(self, portion: Portion, count: int) -> list[int]:
        """Those of the portion's rows that are shown."""
        if portion.split != self.split:
            return []
        return [row - portion.start for row in self.rows if portion.start <= row < portion.start + count]


@dataclass(frozen=True, slots=True)
class FeatureSamples:
    """The same of one feature."""

    samples: Samples
    feature: str

    def wanted(self, portion: Portion, count: int) -> list[int]:
        """Those of the portion's rows that are shown."""
        return self.samples.wanted(portion, count)

    def image(self, portion: Portion, row: int, picture: "Image.Image") -> None:
        """Keep it, small."""
        self.keep(portion, row, small(picture))

    def keep(self, portion: Portion, row: int, shown: Shown) -> None:
        """Show this."""
        self.samples.media[portion.start + row, self.feature] = shown


def small(picture: "Image.Image", side: int = SIDE) -> Picture:
    """PNG where it has few pixels or is transparent, else JPEG."""
    from PIL import Image

    width, height = picture.size
    if max(width, height) > side:
        picture = picture.copy()
        picture.thumbnail((side, side), Image.Resampling.BOX if picture.mode == "L" else Image.Resampling.LANCZOS)
    file = io.BytesIO()
    lossless = "A" in picture.mode or max(picture.size) <= _ENLARGED
    kind = "png" if lossless else "jpeg"
    picture.save(file, kind, optimize=True, quality=82)
    return Picture(f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}", width, height)


def choose(index: Index) -> Samples:
    """Examples of the split that one learns from: of each class as many where there are classes, else evenly spaced."""
    split = next((name for name, count in index.splits.items() if count and name == "train"), None)
    split = split or next((name for name, count in index.splits.items() if count), "")
    if not split:
        return Samples()
    examples = index.split(split)
    kinds = {feature.kind for feature in examples.features.values()}
    modality = next((kind for kind in ("video", "audio", "image") if kind in kinds), index.description.modality)
    most = MOST[modality]
    labels = [f for f in index.description.targets if f.kind == "category" and f.shape == ()]
    if len(labels) == 1 and modality != "table":
        return Samples(split, _by_class(examples.column(labels[0].name), most))
    return Samples(split, spread(len(examples), most).tolist())


def _by_class(labels: Column, most: int) -> list[int]:
    """Evenly spaced ones of each class that is there; two passes, so that nothing needs to be kept."""
    counts: Counter[int] = Counter()
    for _, block in _blocks(labels):
        counts.update(dict(zip(*(each.tolist() for each in np.unique(block, return_counts=True)), strict=True)))
    there = sorted(counts)
    chosen = [there[at] for at in spread(len(there), most).tolist()]
    share = max(1, most // len(chosen))
    wanted = {label: spread(counts[label], share).tolist() for label in chosen}
    found: dict[int, list[int]] = {label: [] for label in chosen}
    seen = dict.fromkeys(chosen, 0)
    for start, block in _blocks(labels):
        for label in [label for label in chosen if len(found[label]) < len(wanted[label])]:
            rows = np.flatnonzero(block == label)
            before, seen[label] = seen[label], seen[label] + len(rows)
            found[label] += [start + int(rows[at - before]) for at in wanted[label] if before <= at < seen[label]]
    return [row for rows in found.values() for row in rows]


def _blocks(column: Column) -> Iterator[tuple[int, NDArray[Any]]]:
    for start in range(0, len(column), _BLOCK):
        yield start, np.asarray(column.values[start : start + _BLOCK])
        column.forget()


def by_row(samples: Samples, feature: str) -> Mapping[int, Shown]:
    """What was kept of a feature, in the order in which it was chosen."""
    return {row: samples.media[row, feature] for row in samples.rows if (row, feature) in samples.media}
