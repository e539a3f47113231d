"""Batches of columns that TensorFlow gathers from, and of those that Python gathers from, in this process."""

import inspect
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import tree
from numpy.typing import NDArray

from modelyard.job import hooks, scratch
from modelyard.job.batches import Position, ordered
from modelyard.job.channel import SilentChannel
from modelyard.job.messages import JobSpec
from modelyard.job.order import permutation
from modelyard.job.session import Context
from modelyard.job.trial import make_dataset
from modelyard.job.values import Values, of_own

COUNT = 203
RANDOM = np.random.default_rng(0)
WORDS = np.array([b"word %d" % number * (number % 9) for number in range(COUNT)], object)
NUMBERS = RANDOM.normal(size=COUNT).astype(np.float32)
PICTURES = RANDOM.integers(0, 255, (COUNT, 120, 100, 3)).astype(np.uint8)
LABELS = np.arange(COUNT)


def outside(array: NDArray[Any]) -> Values:
    """A column that does not fit."""
    return Values(array.__getitem__)


def batches(columns: Any, batch_size: int = 8, position: Position | None = None, **how: Any) -> Any:
    how = {"seed": 3, "shuffle": True, **how}
    return ordered(columns, COUNT, batch_size, position=position or Position(), **how)


@pytest.mark.parametrize("text", [of_own, outside])
@pytest.mark.parametrize("picture", [of_own, outside])
@pytest.mark.parametrize("batch_size", [1, 8, 64, 203, 500])
def test_batches_are_the_rows_of_the_order_wherever_they_are_gathered(text: Any, picture: Any, batch_size: int) -> None:
    columns = ({"text": text(WORDS), "picture": picture(PICTURES)}, of_own(LABELS))
    found = batches(columns, batch_size)
    assert found.cardinality() == -(-COUNT // batch_size)
    assert found.element_spec[0]["picture"] == tf.TensorSpec((None, 120, 100, 3), tf.uint8), "which has no name"
    order, start = permutation(3, 0, COUNT), 0
    for inputs, labels in found.as_numpy_iterator():
        rows = order[start : start + batch_size]
        assert inputs["text"].tolist() == WORDS[rows].tolist()
        assert np.array_equal(inputs["picture"], PICTURES[rows])
        assert np.array_equal(labels, rows)
        start += batch_size
    assert start >= COUNT


def test_a_first_file_that_is_a_placeholder_does_not_make_the_others_come_by_the_gigabyte() -> None:
    files = np.array([b"x", *[bytes(100_000)] * (COUNT - 1)], object)
    asked: list[int] = []

    def gather(rows: NDArray[Any]) -> NDArray[Any]:
        asked.append(len(rows))
        return files[rows]

    assert sum(1 for _ in batches(Values(gather))) == -(-COUNT // 8)
    assert max(asked[1:]) == 16, "so many are looked at before; then a batch at a time"
    assert set(asked[2:]) == {8, COUNT % 8}


@pytest.mark.parametrize("of", [of_own, outside])
def test_an_epoch_that_is_gone_on_with_is_the_rest_of_the_same_batches(of: Any) -> None:
    columns = (of(NUMBERS), of(LABELS))
    position = Position(epoch=2, resumes_loop=True)
    whole = list(batches(columns, position=position).as_numpy_iterator())
    data = batches(columns, position=position)
    position.skip = 5
    rest = list(data.as_numpy_iterator())
    assert len(whole) == len(rest) + 5
    assert all(
        np.array_equal(a, b) for one, two in zip(whole[5:], rest, strict=True) for a, b in zip(one, two, strict=True)
    )
    assert [len(labels) for _, labels in data.as_numpy_iterator()] == [8] * 25 + [3]
    position.epoch = 3
    assert not np.array_equal(next(data.as_numpy_iterator())[1], whole[0][1])


def test_what_is_left_to_the_graph_is_done_to_batches_of_both() -> None:
    double = Values(NUMBERS.__getitem__, lambda: NUMBERS, prepare=lambda batch: batch * 2)
    upper = Values(WORDS.__getitem__, prepare=tf.strings.upper)
    for columns in ((double, upper), {"a": double, "b": upper}):
        first = tree.flatten(next(batches(columns, shuffle=False).as_numpy_iterator()))
        assert np.array_equal(first[0], NUMBERS[:8] * 2)
        assert first[1].tolist() == [word.upper() for word in WORDS[:8]]


def test_a_mapped_file_is_gathered_from_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "pictures").write_bytes(PICTURES.tobytes())
    mapped = scratch.mapped(tmp_path / "pictures", PICTURES.shape, np.uint8)
    column = of_own(mapped)
    tensor: Any = column.tensor
    assert np.shares_memory(np.asarray(memoryview(tensor)), mapped)
    assert np.array_equal(next(batches(column, shuffle=False).as_numpy_iterator()), PICTURES[:8])


def test_an_array_that_the_code_changes_while_it_trains_stays_as_it_was_given() -> None:
    given = NUMBERS.copy()
    data = batches(of_own(given), shuffle=False)
    given[:] = 0
    assert np.array_equal(next(data.as_numpy_iterator()), NUMBERS[:8])


def test_an_array_that_begins_anywhere_and_one_that_is_no_array_of_numbers_are_batched_too() -> None:
    oblique = np.frombuffer(bytes(3) + PICTURES.tobytes(), np.uint8, offset=3).reshape(PICTURES.shape)
    for array in (oblique, PICTURES[:, ::2], NUMBERS > 0, NUMBERS.astype(np.float64), WORDS.astype(str)):
        (batch,) = batches(of_own(array), COUNT, shuffle=False).as_numpy_iterator()
        assert np.array_equal(
            batch.astype(str) if batch.dtype == object else batch,
            array.astype(np.float32) if array.dtype == np.float64 else array,
        )


@pytest.mark.parametrize("y", [None, LABELS])
def test_arrays_are_fitted_in_the_exact_order_with_or_without_what_is_to_be_said(tmp_path: Path, y: Any) -> None:
    make_dataset(tmp_path / "data", (8, 8, 1), classes=2, examples=8)
    spec = JobSpec(job="j", attempt=1, code=str(tmp_path), entry="train", fd=-1, dataset="data", seed=3)
    given = inspect.signature(keras.Model.fit).bind(keras.Sequential(), LABELS, y, batch_size=8)
    given.apply_defaults()
    context = Context(spec, tmp_path, SilentChannel())
    hooks._arrange(given.arguments, context, hooks._our_callback(given.arguments, context), quiet=True)
    rows = np.concatenate([x for x, *_ in given.arguments["x"].as_numpy_iterator()])
    assert rows.tolist() == permutation(3, 0, COUNT).tolist()


@pytest.mark.parametrize(
    ("more", "count"),
    [
        ({"sample_weight": LABELS}, COUNT),
        ({"validation_split": 0.5}, COUNT // 2),
        ({"validation_split": 0.5, "x": np.array([str(label) for label in LABELS], object)}, COUNT // 2),
        ({"x": [LABELS, LABELS]}, COUNT),
    ],
)
def test_weights_a_validation_split_and_lists_of_inputs_leave_the_order_ours(
    tmp_path: Path, more: dict[str, Any], count: int
) -> None:
    spec = JobSpec(job="j", attempt=1, code=str(tmp_path), entry="train", fd=-1, dataset="", seed=3)
    context = Context(spec, tmp_path, SilentChannel())
    given = inspect.signature(keras.Model.fit).bind(keras.Sequential(), **{"x": LABELS, "y": LABELS, **more})
    given.apply_defaults()
    hooks._arrange(given.arguments, context, hooks._our_callback(given.arguments, context), quiet=True)
    rows = np.concatenate([y for _, y, *_ in given.arguments["x"].as_numpy_iterator()])
    assert rows.tolist() == permutation(3, 0, count).tolist()
