"""Which examples the page shows, and what of them was kept while they went by."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from modelyard.job.index import Examples, Index
from modelyard.templates.profile.portions import Portion

MOST = {"image": 60, "audio": 12, "video": 12, "text": 16, "table": 20, "interactions": 20}
SIDE = 160
"""Of a shown image, at most."""
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
    spectrogram_seconds: float
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

    def image(self, portion: Portion, row: int, picture: Image.Image) -> None:
        """Keep it, small."""
        self.keep(portion, row, small(picture))

    def keep(self, portion: Portion, row: int, shown: Shown) -> None:
        """Show this."""
        self.samples.media[portion.start + row, self.feature] = shown


def small(picture: Image.Image, side: int = SIDE) -> Picture:
    """PNG where it has few pixels or is transparent, else JPEG."""
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
        return Samples(split, _by_class(examples, labels[0].name, most))
    return Samples(split, _spread(np.arange(len(examples)), most))


def _by_class(examples: Examples, label: str, most: int) -> list[int]:
    labels = np.asarray(examples.column(label).values)
    order = np.argsort(labels, kind="stable")
    _, starts = np.unique(labels[order], return_index=True)
    groups = np.split(order, starts[1:])
    if len(groups) > most:
        groups = [groups[at] for at in _spread(np.arange(len(groups)), most)]
    share = max(1, most // len(groups))
    return [row for group in groups for row in _spread(group, share)]


def _spread(rows: "np.ndarray[tuple[int], np.dtype[np.int64]]", most: int) -> list[int]:
    if len(rows) <= most:
        return [int(row) for row in rows]
    return [int(rows[at]) for at in np.linspace(0, len(rows) - 1, most).astype(np.int64)]


def by_row(samples: Samples, feature: str) -> Mapping[int, Shown]:
    """What was kept of a feature."""
    return {row: shown for (row, name), shown in samples.media.items() if name == feature}
