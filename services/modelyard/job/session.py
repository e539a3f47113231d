"""`context`: what a job's code sees. Shipped templates and users' packages are written against this alone."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from modelyard.job import export, images, pixels
from modelyard.job.batches import Gather, Position, gather_from, ordered
from modelyard.job.channel import Channel
from modelyard.job.devices import choose_strategy
from modelyard.job.errors import ExportInvalid
from modelyard.job.examples import Index
from modelyard.job.messages import Exported, JobSpec
from modelyard.job.training import FitCallback, Training


class Parameters(Mapping[str, Any]):
    """The job's parameters, complete with their defaults: `params.epochs` or `params["epochs"]`."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = MappingProxyType(dict(values))

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_values"][name]
        except KeyError:
            raise AttributeError(f"this job has no parameter {name!r}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class Context:
    """One job, seen from inside. Every method may raise `Stopped` when the worker wants the job to end."""

    def __init__(self, spec: JobSpec, folder: Path, channel: Channel) -> None:
        """`folder` is the work folder that the spec's paths are relative to."""
        self._spec = spec
        self._folder = folder
        self._channel = channel
        self._position = Position()
        self.exported = False
        self.params = Parameters(spec.parameters)
        self.seed = spec.seed
        self.training = Training(
            channel,
            self._position,
            self._path(spec.checkpoints),
            self._path(spec.resume) if spec.resume else None,
            float(spec.parameters.get("checkpoint_every_s") or spec.checkpoint_every_s),
        )

    def _path(self, path: str) -> Path:
        return self._folder / path

    @cached_property
    def _index(self) -> Index:
        return Index(self._path(self._spec.dataset))

    @cached_property
    def strategy(self) -> Any:
        """A tf.distribute.Strategy over the devices that this job was given; build the model in its scope."""
        return choose_strategy(self._spec.devices)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names behind the labels."""
        return self._index.classes

    @property
    def splits(self) -> dict[str, int]:
        """Examples by split."""
        return {name: count for name, (_, count) in self._index.splits.items()}

    @property
    def held_out(self) -> str | None:
        """The split to judge the model on: validation, else test; None where the dataset has neither."""
        return self._index.held_out

    def image_shape(self, image_size: int = 0) -> images.Shape:
        """Height, width and channels as `dataset` gives them; `image_size` asks for square images of that size."""
        return pixels.image_shape(self._index.image_shape, image_size)

    def _pixels(self, split: str, image_size: int) -> pixels.Pixels:
        self.training.stop_here()
        scratch = self._path(self._spec.scratch)
        scratch.mkdir(exist_ok=True)
        return pixels.load(self._index.split(split), image_size, scratch)

    def dataset(
        self, split: str, *, batch_size: int | None = None, shuffle: bool | None = None, image_size: int = 0
    ) -> Any:
        """A tf.data.Dataset of (image uint8 [height, width, channels], label int64), batched if `batch_size` is given.

        "train" is shuffled, in an order that is a function of the job's seed and the epoch; other splits are in stored
        order. Each iteration is one epoch: do not add `.repeat()` or `.shuffle()`. Raises DatasetUnsuitable for a split
        that is not there and ImageUnreadable for a file that is no image.
        """
        source = self._pixels(split, image_size)
        labels = source.examples.labels
        prepare = None
        if source.array is not None:
            gather: Gather = gather_from((source.array, labels))
        else:

            def gather(rows: NDArray[np.int64]) -> tuple[NDArray[Any], ...]:
                return source.encoded(rows), labels[rows]

            def prepare(data: Any, label: Any) -> Any:
                return images.decode_batch(data, source.shape), label

        batched = ordered(
            gather,
            len(labels),
            batch_size or 256,
            seed=self.seed,
            position=self._position,
            shuffle=split == "train" if shuffle is None else shuffle,
            prepare=prepare,
        )
        if batch_size is not None:
            return batched
        return batched.unbatch().apply(tf.data.experimental.assert_cardinality(len(labels)))

    def arrays(self, split: str, *, image_size: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Images and labels as NumPy arrays in stored order, for data that fits into memory. Images are read-only."""
        source = self._pixels(split, image_size)
        if source.array is None:
            raise MemoryError(f"split {split!r} is too large for arrays; use context.dataset({split!r}, batch_size=…)")
        return source.array, source.examples.labels

    def epochs(self, count: int) -> Iterator[int]:
        """For loops of your own: the epochs, with the data's order following them."""
        for epoch in range(count):
            self.training.stop_here()
            self._position.epoch = epoch
            yield epoch

    def callbacks(self) -> list[Any]:
        """Progress, metrics, checkpoints, the stop and going on after a crash. `fit` adds them by itself in a job."""
        return [FitCallback(self.training)]

    def ordered_arrays(self, arrays: tuple[NDArray[Any], ...], batch_size: int) -> Any:
        """Arrays of the code's own as shuffled batches in exact order."""
        return ordered(
            gather_from(arrays), len(arrays[0]), batch_size, seed=self.seed, position=self._position, shuffle=True
        )

    def report(self, **metrics: float) -> None:
        """Values for the job's curves at the current step; `fit` reports Keras's own metrics by itself."""
        self.training.report(metrics)

    def require_export(self) -> None:
        """Raises ExportInvalid when the code has ended without a model."""
        if not self.exported:
            raise ExportInvalid("the code ended without context.export(model); a training job's output is a model")

    def export(self, model: Any, *, image_size: int = 0, metrics: Mapping[str, float] | None = None) -> Path:
        """Make the model the job's output: a SavedModel that takes stored images (`serving_default`) and PNG or JPEG
        bytes (`encoded`), with class names and the answers to a few held-out examples.

        `model` maps uint8 [n, height, width, channels] to probabilities [n, classes]. Raises ExportInvalid.
        """
        split = self._index.split(self.held_out or "train")
        shape = self.image_shape(image_size)
        shown = pixels.load_some(split, shape, export.GOLDEN_EXAMPLES)
        target = self._path(self._spec.model)
        values = dict(self.training.metrics if metrics is None else metrics)
        export.export_classifier(model, target, shape, self.classes, shown, values)
        self.exported = True
        self._channel.send(Exported(str(target), values))
        return target
