"""A feature's examples as the code sees them: an array, or decoded batch by batch where that would be too much."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from modelyard.job import pixels, scratch
from modelyard.job.columns import is_ragged
from modelyard.job.errors import DatasetUnsuitable, MediaUnreadable
from modelyard.job.index import Examples
from modelyard.job.order import Indices
from modelyard.job.tensors import aligned, tensor_of
from modelyard.layouts import Feature, clips, waves
from modelyard.layouts.heads import UnusableError
from modelyard.layouts.pictures import image_shape
from modelyard.layouts.sounds import sound_length
from modelyard.layouts.videos import video_size

MAX_SECONDS = 60.0
"""Of the longest sound, where the code does not say how long they shall be."""


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
    """`folder` keeps what is decoded. Raises DatasetUnsuitable, ImageUnreadable and MediaUnreadable."""
    column = examples.column(name)
    feature = column.feature
    match feature.kind:
        case "image":
            return _images(examples, name, form, folder)
        case "audio":
            return _media(examples, name, np.float32, _sounds(examples, name, form), folder)
        case "video":
            return _media(examples, name, np.uint8, _clips(examples, name, form), folder)
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


@dataclass(frozen=True, slots=True)
class _Decoder:
    shape: tuple[int, ...]
    decode: Callable[[bytes], NDArray[Any]]
    """Raises ValueError."""
    key: str


def _media(examples: Examples, name: str, dtype: Any, decoder: _Decoder, folder: Path) -> Values:
    column = examples.column(name)

    def one(row: int) -> NDArray[Any]:
        try:
            return decoder.decode(column.read(row))
        except ValueError as error:
            path = examples.origin(row)
            raise MediaUnreadable(f"{path} cannot be decoded: {error}", file=path) from error

    path = folder / f"{examples.name}.{name}-{decoder.key}.{np.dtype(dtype).name}"
    if scratch.fits(path, len(column) * int(np.prod(decoder.shape)) * np.dtype(dtype).itemsize):

        def fill(out: NDArray[Any]) -> None:
            def put(row: int) -> None:
                out[row] = one(row)

            scratch.in_threads(len(column), put)

        return _of(scratch.mapped(path, (len(column), *decoder.shape), dtype, fill))

    def gather(rows: Indices) -> NDArray[Any]:
        out = np.empty((len(rows), *decoder.shape), dtype)

        def put(place: int) -> None:
            out[place] = one(int(rows[place]))

        scratch.in_threads(len(rows), put)
        return out

    return Values(gather)


def _sounds(examples: Examples, name: str, form: Form) -> _Decoder:
    rate, seconds = form.sample_rate, form.seconds
    if not rate or not seconds:
        lengths = [_sound(examples, name, row) for row in range(len(examples))]
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
    return _Decoder((samples,), lambda data: waves.decode(data, rate, samples), f"{rate}x{samples}")


def _sound(examples: Examples, name: str, row: int) -> tuple[int, float]:
    try:
        sound = sound_length(examples.column(name).file(row))
    except UnusableError as error:
        path = examples.origin(row)
        raise MediaUnreadable(f"{path} {error}", file=path) from error
    return sound.rate, sound.seconds


def _clips(examples: Examples, name: str, form: Form) -> _Decoder:
    if not form.frames:
        raise DatasetUnsuitable("say with frames=… how many frames of each video are used", field="frames")
    height, width = form.image_size, form.image_size
    if not form.image_size:
        sizes = {_clip(examples, name, row) for row in range(len(examples))}
        if len(sizes) > 1:
            raise DatasetUnsuitable(
                "the dataset's videos differ in size; say one with image_size=…", field="image_size"
            )
        height, width = next(iter(sizes), (1, 1))
    frames = form.frames
    return _Decoder(
        (frames, height, width, 3),
        lambda data: clips.decode(data, frames, height, width),
        f"{frames}x{height}x{width}",
    )


def _clip(examples: Examples, name: str, row: int) -> tuple[int, int]:
    column = examples.column(name)
    try:
        found = video_size(column.file(row))
        return (found.height, found.width) if found.height else clips.size_of(column.read(row))
    except (UnusableError, ValueError) as error:
        path = examples.origin(row)
        raise MediaUnreadable(f"{path} cannot be decoded: {error}", file=path) from error


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


def some_rows(count: int, most: int) -> Indices:
    """At most so many numbers, spread over all."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).astype(np.int64)) if count else np.zeros(0, np.int64)


def _some(numbers: Sequence[int]) -> str:
    shown = [f"{number:,}" for number in numbers[:3]]
    return f"{', '.join(shown[:-1])} and {shown[-1]}" if len(numbers) <= 3 else f"{', '.join(shown)} and more"
