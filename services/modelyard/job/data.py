"""A job's dataset as its code sees it: batches in exact order, or whole arrays."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from keras import tree
from numpy.typing import NDArray

from modelyard.job import images, pixels
from modelyard.job.batches import Position, ordered
from modelyard.job.errors import DatasetUnsuitable
from modelyard.job.index import Index
from modelyard.job.order import Indices
from modelyard.job.selection import Selection, select
from modelyard.job.values import Form, Values, of_own, values
from modelyard.layouts import Feature

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
        self._columns: dict[tuple[str, str, Form], Values] = {}
        self.form = Form()
        """What the code asked for last: the model that it trains takes media of this form."""

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

    @property
    def image(self) -> Feature | None:
        """The dataset's images; None where it has none."""
        return next((feature for feature in self.index.description.features if feature.kind == "image"), None)

    def image_shape(self, image_size: int) -> images.Shape:
        """Height, width and channels as `dataset` gives them. Raises DatasetUnsuitable."""
        if self.image is None:
            raise DatasetUnsuitable(f"the dataset has no images; it has {', '.join(self.index.features)}")
        return pixels.image_shape(self.image, image_size)

    def column(self, split: str, name: str, form: Form) -> Values:
        """One feature's examples."""
        if (split, name, form) not in self._columns:
            self._scratch.mkdir(exist_ok=True)
            self._columns[split, name, form] = values(self.index.split(split), name, form, self._scratch)
        return self._columns[split, name, form]

    def dataset(
        self, split: str, batch_size: int | None, shuffle: bool, form: Form, columns: Sequence[str] | None = None
    ) -> Any:
        """See Context.dataset."""
        selection, given = self._select(split, form, columns)
        count = len(self.index.split(split))
        batched = ordered(
            selection.structure(given),
            count,
            batch_size or UNBATCHED,
            seed=self._seed,
            position=self._position,
            shuffle=shuffle,
            is_training=split == "train",
            whole_batches=batch_size is not None,
        )
        if batch_size is not None:
            return batched
        single = batched.unbatch()
        if self._position.resumes_loop:
            return single
        return single.apply(tf.data.experimental.assert_cardinality(count))

    def arrays(self, split: str, form: Form, columns: Sequence[str] | None = None) -> Any:
        """See Context.arrays."""
        selection, given = self._select(split, form, columns)
        for name, one in given.items():
            if one.array is None:
                raise MemoryError(
                    f"{name!r} of split {split!r} is too large for arrays; use context.dataset({split!r}, batch_size=…)"
                )
        return selection.structure({name: one.array for name, one in given.items()})

    def items(self) -> dict[str, NDArray[Any]]:
        """See Context.items."""
        table = self.index.items
        if table is None:
            raise DatasetUnsuitable("the dataset has no table of items beside its interactions")
        self._scratch.mkdir(exist_ok=True)
        found = {name: values(table, name, Form(), self._scratch) for name in table.features}
        rows = np.arange(len(table))
        return {name: one.gather(rows) if one.array is None else one.array for name, one in found.items()}

    def some(self, split: str, names: Sequence[str], rows: Indices, form: Form) -> dict[str, NDArray[Any]]:
        """A few examples by feature; images without decoding all of them. Raises DatasetUnsuitable."""
        examples = self.index.split(split)
        found = {}
        for name in names:
            column = examples.column(name)
            if column.feature.kind == "image":
                shape = pixels.image_shape(column.feature, form.image_size)
                way = pixels.decoder(column.feature, shape)
                found[name] = np.stack([way(tf.constant(column.read(int(row)))).numpy() for row in rows])
            else:
                one = self.column(split, name, form)
                found[name] = one.gather(rows)
        return found

    def ordered_arrays(self, arrays: Any, batch_size: int) -> Any:
        """Arrays of the code's own, equally long and in any structure, as shuffled batches in exact order."""
        count = len(tree.flatten(arrays)[0])
        columns = tree.map_structure(of_own, arrays)
        return ordered(columns, count, batch_size, seed=self._seed, position=self._position, shuffle=True)

    def _select(self, split: str, form: Form, columns: Sequence[str] | None) -> tuple[Selection, Mapping[str, Values]]:
        selection = select(self.index.description, columns)
        if not len(self.index.split(split)) and split == "train":
            raise DatasetUnsuitable("split 'train' has no examples; there is nothing to train on", split=split)
        self.form = form
        return selection, {name: self.column(split, name, form) for name in selection.names}
