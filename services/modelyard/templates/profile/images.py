"""Images: decoded one by one after their headers were looked at."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelyard.layouts import Feature, File
from modelyard.layouts.heads import UnusableError
from modelyard.layouts.pictures import image_shape
from modelyard.templates.profile.features import SHAPES
from modelyard.templates.profile.files import Misnamed, files_of, hash_files
from modelyard.templates.profile.frequencies import Distinct, Hashes, hash_bytes
from modelyard.templates.profile.levels import Levels, counted
from modelyard.templates.profile.numbers import Numbers
from modelyard.templates.profile.portions import Portion
from modelyard.templates.profile.samples import FeatureSamples
from modelyard.templates.profile.unreadable import Unreadable

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")


class Images:
    """Encoded files, or raw pixels."""

    def __init__(self, feature: Feature, unreadable: Unreadable, samples: FeatureSamples) -> None:
        from PIL import Image

        # `layouts` looks at sizes before anything is decoded, by a rule of its own.
        Image.MAX_IMAGE_PIXELS = None
        self._raw = feature.encoding == "raw"
        self._shape = tuple(size or 0 for size in feature.shape)
        self._unreadable = unreadable
        self._samples = samples
        self.count = 0
        self.plain = 0
        """Images of one colour."""
        self.shapes: Counter[tuple[int, ...]] = Counter()
        self.encodings: Counter[str] = Counter()
        self.misnamed = Misnamed()
        self.levels = np.zeros(256, np.int64)
        self.distinct = Distinct()
        self._width, self._height = Numbers(1.0, drawn=0), Numbers(1.0, drawn=0)

    def add(self, portion: Portion, name: str) -> Hashes:
        if self._raw:
            values = portion.values(name)
            hashes = self._add_raw(portion, values) if values.dtype == np.uint8 else self._add_each(portion, values)
        else:
            hashes = self._add_files(portion, files_of(portion, name))
        self.distinct.add(hashes)
        return hashes

    def _add_raw(self, portion: Portion, images: NDArray[np.uint8]) -> Hashes:
        count = len(images)
        self.levels += counted(images)
        rows = images.reshape(count, -1)
        self.plain += int((rows == rows[:, :1]).all(1).sum())
        self.count += count
        self.shapes[tuple(images.shape[1:])] += count
        self.encodings["raw"] += count
        self._width.add(np.full(count, images.shape[2], np.float64))
        self._height.add(np.full(count, images.shape[1], np.float64))
        for row in self._samples.wanted(portion, count):
            self._samples.image(portion, row, picture_of(images[row]))
        return hash_bytes([row.tobytes() for row in rows])

    def _add_each(self, portion: Portion, values: NDArray[Any]) -> Hashes:
        whole = int(np.prod(self._shape))
        for row, value in enumerate(values):
            if len(value) == whole:
                self._add_raw(portion.only(row), np.frombuffer(value, np.uint8).reshape(1, *self._shape))
        return hash_bytes(values)

    def _add_files(self, portion: Portion, files: Sequence[File]) -> Hashes:
        wanted = frozenset(self._samples.wanted(portion, len(files)))
        sizes = []
        levels = Levels()
        for row, file in enumerate(files):
            try:
                encoding, shape = image_shape(file)
                picture = decoded(file, encoding)
            except UnusableError as problem:
                self._unreadable.add(portion, row, str(problem))
                continue
            self.count += 1
            self.encodings[encoding] += 1
            self.shapes[shape] += 1
            self.misnamed.look(portion, row, encoding)
            levels.add(picture)
            sizes.append(picture.size)
            if row in wanted:
                self._samples.image(portion, row, picture)
        levels.settle()
        self.levels += levels.counts
        self.plain += levels.plain
        measured = np.array(sizes, np.float64).reshape(-1, 2)
        self._width.add(measured[:, 0])
        self._height.add(measured[:, 1])
        return hash_files(files)

    def found(self) -> dict[str, Any]:
        pixels = Numbers(1.0)
        pixels.add_levels(self.levels)
        measures = (("width", self._width), ("height", self._height))
        return {
            "count": self.count,
            "distinctCount": self.distinct.count,
            "distinctEstimated": self.distinct.estimated,
            "number": pixels.found(),
            "lengths": [numbers.length(unit) for unit, numbers in measures if numbers.count],
            "shapes": [{"shape": list(shape), "count": count} for shape, count in self.shapes.most_common(SHAPES)],
            "encodings": [{"value": encoding, "count": count} for encoding, count in self.encodings.most_common()],
        }


def decoded(file: File, encoding: str) -> "Image.Image":
    """In one of the modes L, LA, RGB, RGBA; of an animation the first picture. Raises UnusableError."""
    from PIL import Image

    try:
        with file.open() as opened, Image.open(opened, formats=FORMATS) as picture:
            picture.load()
            return _plain(picture)
    # Pillow raises what its readers stumble over.
    except Exception as error:  # noqa: BLE001
        raise UnusableError(f"is a {encoding.upper()} that does not decode: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """Pillow's words; what it knows no name of it calls by its address."""
    text = str(error)
    return "its header is damaged" if not text or "identify image file" in text else text


def _plain(picture: "Image.Image") -> "Image.Image":
    from PIL import Image

    if picture.mode in ("L", "LA", "RGB", "RGBA"):
        return picture.copy() if picture.format == "GIF" else picture
    if picture.mode.startswith("I;16"):
        # The upper of two bytes, as TensorFlow takes it.
        return Image.fromarray((np.asarray(picture, np.uint16) >> 8).astype(np.uint8))
    if picture.mode == "1":
        return picture.convert("L")
    return picture.convert("RGBA" if "transparency" in picture.info else "RGB")


def picture_of(pixels: NDArray[np.uint8]) -> "Image.Image":
    """[height, width, channels], 1 to 4 channels."""
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels))
