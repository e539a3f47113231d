"""A job's dataset as its code sees it: batches in exact order, or whole arrays."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from modelyard.job import images, pixels
from modelyard.job.batches import Gather, Position, gather_from, ordered
from modelyard.job.errors import DatasetUnsuitable
from modelyard.job.examples import Index

UNBATCHED = 256
"""Examples that are read together where the code wants them one by one."""


class Data:
    """One prepared dataset."""

    def __init__(self, folder: Path | None, scratch: Path, position: Position, seed: int) -> None:
        """`folder` is None where the job has no dataset."""
        self._folder = folder
        self._scratch = scratch
        self._position = position
        self._seed = seed
        self._index: Index | None = None
        self.image_size = 0
        """What the code asked for last: the model that it trains takes images of this size."""

    @property
    def exists(self) -> bool:
        """Whether the job has a dataset."""
        return self._folder is not None

    @property
    def index(self) -> Index:
        """Raises DatasetUnsuitable where the job has no dataset."""
        if self._folder is None:
            raise DatasetUnsuitable("this job has no dataset; start it with `--dataset NAME`")
        if self._index is None:
            self._index = Index(self._folder)
        return self._index

    def image_shape(self, image_size: int) -> images.Shape:
        """Height, width and channels as `dataset` gives them."""
        return pixels.image_shape(self.index.image_shape, image_size)

    def pixels(self, split: str, image_size: int) -> pixels.Pixels:
        """The examples of a split, decoded where they fit on the disk."""
        self._scratch.mkdir(exist_ok=True)
        self.image_size = image_size
        return pixels.load(self.index.split(split), image_size, self._scratch)

    def dataset(self, split: str, batch_size: int | None, shuffle: bool, image_size: int) -> Any:
        """See Context.dataset."""
        source = self.pixels(split, image_size)
        labels = source.examples.labels
        prepare = None
        if source.array is not None:
            gather: Gather = gather_from((source.array, labels))
        else:
            gather, prepare = _decoding(source, labels)
        batched = ordered(
            gather,
            len(labels),
            batch_size or UNBATCHED,
            seed=self._seed,
            position=self._position,
            shuffle=shuffle,
            is_training=split == "train",
            whole_batches=batch_size is not None,
            prepare=prepare,
        )
        if batch_size is not None:
            return batched
        single = batched.unbatch()
        if self._position.resumes_loop:
            return single
        return single.apply(tf.data.experimental.assert_cardinality(len(labels)))

    def arrays(self, split: str, image_size: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """See Context.arrays."""
        source = self.pixels(split, image_size)
        if source.array is None:
            raise MemoryError(f"split {split!r} is too large for arrays; use context.dataset({split!r}, batch_size=…)")
        return source.array, source.examples.labels

    def ordered_arrays(self, arrays: tuple[NDArray[Any], ...], batch_size: int) -> Any:
        """Arrays of the code's own as shuffled batches in exact order."""
        gather = gather_from(arrays)
        return ordered(gather, len(arrays[0]), batch_size, seed=self._seed, position=self._position, shuffle=True)


def _decoding(source: pixels.Pixels, labels: NDArray[np.int64]) -> tuple[Gather, Callable[..., Any]]:
    def gather(rows: NDArray[np.int64]) -> tuple[NDArray[Any], ...]:
        return source.encoded(rows), labels[rows]

    def prepare(data: Any, label: Any) -> Any:
        return images.decode_batch(data, source.shape), label

    return gather, prepare
