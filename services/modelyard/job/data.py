"""A job's dataset as its code sees it: batches in exact order, or whole arrays."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import tensorflow as tf
from keras import tree
from numpy.typing import NDArray

from modelyard.job import images, pixels, scratch
from modelyard.job.batches import Position, ordered
from modelyard.job.columns import MAX_HELD_BYTES
from modelyard.job.decoding import RowsUnreadable
from modelyard.job.errors import DatasetUnsuitable, ExamplesUnreadable, NoRoom, TooLarge
from modelyard.job.index import Examples, Index
from modelyard.job.left_out import LeftOut
from modelyard.job.order import Indices
from modelyard.job.selection import Selection, select
from modelyard.job.tensors import tensor_of
from modelyard.job.values import MEDIA, Form, Values, of_own, some, values
from modelyard.layouts import Feature

UNBATCHED = 256
"""Examples that are read together where the code wants them one by one."""
_SMALLER = {"image": "image_size=…", "audio": "seconds=… and sample_rate=…", "video": "frames=… and image_size=…"}
"""What makes less of each example."""


class Data:
    """One prepared dataset. An example of which a file cannot be decoded is none, from the first time on that it is
    asked for: it is said, and the rest moves up."""

    def __init__(self, folder: Path | None, scratch: Path, position: Position, seed: int, left_out: LeftOut) -> None:
        """`folder` is None where the job has no dataset."""
        self._folder = folder
        self._scratch = scratch
        self._position = position
        self._seed = seed
        self.left_out = left_out
        self._index: Index | None = None
        self._known: dict[tuple[str, str, Form], Values] = {}
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
        return self._columns(lambda: self.index.split(split), [name], form)[name]

    def _columns(self, examples: Callable[[], Examples], names: Iterable[str], form: Form) -> dict[str, Values]:
        """Of the same examples: those that have all of them. Raises ExamplesUnreadable."""
        self._scratch.mkdir(exist_ok=True)
        while True:
            asked = examples()
            try:
                return {name: self._values(asked, name, form) for name in names}
            except RowsUnreadable as found:
                self.left_out.add(asked, found.reasons)
                self.index.leave_out(asked, found.reasons)

    def _values(self, examples: Examples, name: str, form: Form) -> Values:
        """What is in memory of them stays there, for the next dataset of the same examples."""
        known = (examples.key, name, form)
        if known not in self._known:
            self._known[known] = values(examples, name, form, self._scratch)
        return self._known[known]

    def dataset(
        self, split: str, batch_size: int | None, shuffle: bool, form: Form, columns: Sequence[str] | None = None
    ) -> Any:
        """See Context.dataset."""
        selection, given = self._select(split, form, columns)
        count = self.index.splits[split]
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
                raise self._too_large(split, name, one)
        return selection.structure({name: one.array for name, one in given.items()})

    def _too_large(self, split: str, name: str, one: Values) -> TooLarge:
        examples = self.index.split(split)
        column = examples.column(name)
        if column.feature.kind in MEDIA:
            first: Any = one.gather(np.zeros(1, np.int64))
            first = first if one.prepare is None else np.asarray(one.prepare(tf.constant(first)))
            takes, most, decoded = len(examples) * first.nbytes, scratch.MAX_BYTES, " decoded"
            smaller = f"take less of each with {_SMALLER[column.feature.kind]} (of a template: --set)"
        else:
            takes, most, decoded = column.held_bytes, MAX_HELD_BYTES, ""
            smaller = "make a version of the dataset that has less of it"
        kind, limit = TooLarge, f"{most / 2**30:.3g} GiB is the most"
        if takes <= most:
            kind, limit = NoRoom, "the worker's disk has no room for it"
        return kind(
            f"{name!r} of split {split!r} takes {takes / 2**30:.3g} GiB{decoded}, which is wanted whole, and {limit}; "
            f"{smaller}, or go through it in code of your own with context.dataset({split!r}, batch_size=…)",
            feature=name,
            split=split,
            bytes=str(takes),
            most=str(most),
        )

    def items(self) -> dict[str, NDArray[Any]]:
        """See Context.items."""
        table = self.index.items
        if table is None:
            raise DatasetUnsuitable("the dataset has no table of items beside its interactions")
        found = self._columns(lambda: cast(Examples, self.index.items), list(table.features), Form())
        rows = np.arange(self.index.items_count)
        return {name: one.gather(rows) if one.array is None else one.array for name, one in found.items()}

    def some(self, split: str, names: Sequence[str], rows: Indices, form: Form) -> dict[str, NDArray[Any]]:
        """A few examples by feature; media without decoding all of them. Raises DatasetUnsuitable, and
        ExamplesUnreadable for one that is not `readable`."""
        examples = self.index.split(split)
        found = {}
        for name in names:
            if examples.column(name).feature.kind not in MEDIA:
                found[name] = self.column(split, name, form).gather(rows)
                continue
            portion = some(examples, name, form, rows.tolist())
            for place, reason in portion.reasons.items():
                raise ExamplesUnreadable(f"{examples.origin(int(rows[place]))} {reason}", split=split)
            found[name] = portion.values
        return found

    def readable(self, split: str, rows: Indices, form: Form) -> Indices:
        """Those of a few examples whose media can be decoded. Raises DatasetUnsuitable."""
        for name, feature in self.index.features.items():
            if feature.kind in MEDIA and len(rows):
                reasons = some(self.index.split(split), name, form, rows.tolist()).reasons
                rows = np.delete(rows, list(reasons))
        return rows

    def ordered_arrays(self, arrays: Any, batch_size: int) -> Any:
        """Arrays of the code's own, equally long and in any structure, as shuffled batches in exact order."""
        count = len(tree.flatten(arrays)[0])
        columns = tree.map_structure(of_own, arrays)
        return ordered(columns, count, batch_size, seed=self._seed, position=self._position, shuffle=True)

    def ordered_rows(
        self, whole: NDArray[Any], rows: Indices, beside: NDArray[Any], batch_size: int, *, is_training: bool
    ) -> Any:
        """Batches of these rows of an array that stays where it is, such as one that is mapped, each with what `beside`
        has at its place: in the order of `ordered_arrays` to train on, in their own to judge by."""
        tensor = tensor_of(whole)
        if tensor is None:
            chosen = Values(lambda places: whole[rows[places]])
        else:
            chosen = Values(rows.__getitem__, lambda: rows, lambda numbers: tf.gather(tensor, numbers))
        return ordered(
            (chosen, of_own(beside)),
            len(rows),
            batch_size,
            seed=self._seed,
            position=self._position,
            shuffle=is_training,
            is_training=is_training,
        )

    def _select(self, split: str, form: Form, columns: Sequence[str] | None) -> tuple[Selection, Mapping[str, Values]]:
        selection = select(self.index.description, columns)
        if not len(self.index.split(split)) and split == "train":
            raise DatasetUnsuitable("split 'train' has no examples; there is nothing to train on", split=split)
        self.form = form
        return selection, self._columns(lambda: self.index.split(split), selection.names, form)
