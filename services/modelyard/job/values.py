"""A feature's examples as the code sees them: an array, or decoded batch by batch where that would be too much."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from modelyard.job import decoding, pixels, scratch
from modelyard.job.columns import Column, is_ragged
from modelyard.job.decoding import Portion
from modelyard.job.errors import DatasetUnsuitable
from modelyard.job.index import Examples
from modelyard.job.order import Indices
from modelyard.job.tensors import aligned, tensor_of
from modelyard.layouts import Feature, clips, waves
from modelyard.layouts.heads import UnusableError
from modelyard.layouts.pictures import image_shape
from modelyard.layouts.videos import video_size

MEDIA = ("image", "audio", "video")
MAX_SECONDS = 60.0
"""Of the longest sound, where the code does not say how long they shall be."""
MOST_TOGETHER, TOGETHER_BYTES = 64, 64 << 20
"""Sounds or videos that are decoded before they are written."""


@dataclass(frozen=True, slots=True)
class Form:
    """How the code wants media; 0 = as they are stored, where all are the same."""

    image_size: int = 0
    """Of images and of a video's frames."""
    sample_rate: int = 0
    seconds: float = 0.0
    frames: int = 0


@dataclass(frozen=True)
class Values:
    """One feature of one split, or an array of the code's own."""

    gather: Callable[[Indices], NDArray[Any]]
    """The examples of these numbers."""
    whole: Callable[[], NDArray[Any] | None] = lambda: None
    """All of them, read-only; None where they would not fit."""
    prepare: Callable[[Any], Any] | None = None
    """What makes of a batch that `gather` gave what the code gets, in a graph."""

    @cached_property
    def array(self) -> NDArray[Any] | None:
        """What `whole` gives, kept from then on."""
        return self.whole()

    @cached_property
    def tensor(self) -> Any | None:
        """All of them for a graph to gather from; None where only `gather` can. Texts are kept as this alone, where
        nobody asks for the array."""
        whole = self.whole()
        return None if whole is None else tensor_of(whole)


def values(examples: Examples, name: str, form: Form, folder: Path) -> Values:
    """`folder` keeps what is decoded. Raises DatasetUnsuitable, and RowsUnreadable for all that cannot be decoded."""
    column = examples.column(name)
    feature = column.feature
    match feature.kind:
        case "image":
            return _images(examples, name, form, folder)
        case "audio" | "video":
            return _media(examples, name, _decoder(examples, name, form), folder)
    if is_ragged(feature):
        return _of(_boxes(examples, name, form))
    if feature.dtype == "string" or column.array is None:
        return Values(column.gather, column.texts)
    return _of(column.array)


def of_own(array: NDArray[Any]) -> Values:
    """An array of the code's own; float64 becomes float32, once and as Keras does it."""
    return _of(aligned(array, np.float32) if array.dtype == np.float64 else array)


def _of(array: NDArray[Any]) -> Values:
    return Values(array.__getitem__, lambda: array)


def _images(examples: Examples, name: str, form: Form, folder: Path) -> Values:
    array = pixels.load(examples, name, form.image_size, folder)
    if array is not None:
        return _of(array)
    column = examples.column(name)
    shape = pixels.image_shape(column.feature, form.image_size)
    way = pixels.decoder(column.feature, shape)

    def prepare(batch: Any) -> Any:
        return tf.map_fn(way, batch, fn_output_signature=tf.TensorSpec(shape, tf.uint8))

    return Values(column.gather, prepare=prepare)


def some(examples: Examples, name: str, form: Form, rows: Sequence[int]) -> Portion:
    """A few sounds, videos or images, without a look at the others; and why some of them cannot be decoded."""
    column = examples.column(name)
    if column.feature.kind == "image":
        return pixels.chosen(column, pixels.image_shape(column.feature, form.image_size), list(rows))
    return _decoder(examples, name, form).portion(column, rows)


@dataclass(frozen=True, slots=True)
class _Decoder:
    form: decoding.Form
    decode: Callable[[bytes], NDArray[Any]]
    """Raises ValueError."""

    def portion(self, column: Column, rows: Sequence[int] | Indices) -> Portion:
        """These examples, decoded on all cores."""
        out = np.zeros((len(rows), *self.form.shape), self.form.dtype)
        reasons: dict[int, str] = {}

        def put(place: int) -> None:
            try:
                out[place] = self.decode(column.read(int(rows[place])))
            except ValueError as error:
                reasons[place] = f"cannot be decoded: {error}"

        scratch.in_threads(len(rows), put)
        return Portion(out, reasons)

    def portions(self, column: Column) -> Iterator[Portion]:
        """All of them, in order."""
        size = max(1, min(MOST_TOGETHER, TOGETHER_BYTES // max(1, self.form.nbytes)))
        for start in range(0, len(column), size):
            yield self.portion(column, range(start, min(start + size, len(column))))


def _decoder(examples: Examples, name: str, form: Form) -> _Decoder:
    return (_sounds if examples.column(name).feature.kind == "audio" else _clips)(examples, name, form)


def _media(examples: Examples, name: str, decoder: _Decoder, folder: Path) -> Values:
    column = examples.column(name)
    array = decoding.decoded(examples, name, decoder.form, lambda: decoder.portions(column), folder)
    return Values(lambda rows: decoder.portion(column, rows).values) if array is None else _of(array)


def _sounds(examples: Examples, name: str, form: Form) -> _Decoder:
    rate, seconds = form.sample_rate, form.seconds
    if not rate or not seconds:
        lengths = list(_lengths(examples, name))
        rates = sorted({found for found, _ in lengths})
        if not rate and len(rates) > 1:
            raise DatasetUnsuitable(
                f"the dataset's sounds have {_some(rates)} samples a second; say one rate with sample_rate=…",
                field="sample_rate",
            )
        rate = rate or (rates[0] if rates else 1)
        longest = max((length for _, length in lengths), default=0.0)
        if not seconds and longest > MAX_SECONDS:
            raise DatasetUnsuitable(
                f"the dataset's longest sound lasts {longest:.0f} s; say with seconds=… how much of each is used",
                field="seconds",
            )
        seconds = seconds or longest
    samples = max(1, round(seconds * rate))
    decoded = decoding.Form(f"{rate}x{samples}", (samples,), np.float32)
    return _Decoder(decoded, lambda data: waves.decode(data, rate, samples))


def _lengths(examples: Examples, name: str) -> Iterator[tuple[int, float]]:
    """Rate and seconds of each. What is wrong with one that has none, decoding it will tell."""
    column = examples.column(name)
    for row in range(len(examples)):
        with suppress(UnusableError):
            sound = waves.measured(column.file(row))
            yield sound.rate, sound.seconds


def _clips(examples: Examples, name: str, form: Form) -> _Decoder:
    if not form.frames:
        raise DatasetUnsuitable("say with frames=… how many frames of each video are used", field="frames")
    height, width = form.image_size, form.image_size
    if not form.image_size:
        sizes = set(_sizes(examples, name))
        if len(sizes) > 1:
            raise DatasetUnsuitable(
                "the dataset's videos differ in size; say one with image_size=…", field="image_size"
            )
        height, width = next(iter(sizes), (1, 1))
    frames = form.frames
    decoded = decoding.Form(f"{frames}x{height}x{width}", (frames, height, width, 3), np.uint8)
    return _Decoder(decoded, lambda data: clips.decode(data, frames, height, width))


def _sizes(examples: Examples, name: str) -> Iterator[tuple[int, int]]:
    """Heights and widths, of the headers; see `_lengths`."""
    column = examples.column(name)
    for row in range(len(examples)):
        with suppress(UnusableError):
            video = video_size(column.file(row))
            yield video.height, video.width


def _boxes(examples: Examples, name: str, form: Form) -> NDArray[Any]:
    """Padded; boxes follow their image to another size."""
    column = examples.column(name)
    found = column.padded()
    image = next((feature for feature in examples.features.values() if feature.kind == "image"), None)
    if column.feature.kind != "boxes" or image is None or not form.image_size or not found.size:
        return found
    sizes = _image_sizes(examples, image)
    scale = (form.image_size / sizes[:, [1, 0, 1, 0]]).astype(np.float32)
    filling = (found == -1).all(-1, keepdims=True)
    return np.where(filling, found, found * scale[:, np.newaxis]).astype(np.float32)


def _image_sizes(examples: Examples, feature: Feature) -> NDArray[np.float64]:
    """Height and width of each, [n, 2]."""
    if None not in feature.shape[:2] and len(feature.shape) == 3:
        return np.tile(np.array(feature.shape[:2], np.float64), (len(examples), 1))
    column = examples.column(feature.name)
    return np.array([image_shape(column.file(row))[1][:2] for row in range(len(examples))], np.float64)


def _some(numbers: Sequence[int]) -> str:
    shown = [f"{number:,}" for number in numbers[:3]]
    return f"{', '.join(shown[:-1])} and {shown[-1]}" if len(numbers) <= 3 else f"{', '.join(shown)} and more"
