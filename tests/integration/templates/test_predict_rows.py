"""Predictions on rows of a table: what a model gets of their numbers, and what becomes of its answers."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from modelyard.job.columns import Column
from modelyard.job.index import Examples
from modelyard.job.trial import prepare_dataset
from modelyard.layouts import Feature, Options
from modelyard.layouts.chunks import MISSING_TIME
from modelyard.templates.fitting import DatasetNotForModel, Input
from modelyard.templates.predict.feeding import Batch, Feed
from tests.integration.templates.test_predict import predict, save

pytestmark = pytest.mark.timeout(300)


def fed(feature: Feature, stored: NDArray[Any], taken: Input, rows: list[int]) -> Batch:
    examples = cast(Examples, SimpleNamespace(column=lambda _: Column(feature, stored, ())))
    feed = Feed([taken], {feature.name: feature}, {taken.name: feature.name}, about={}, scale=1.0, k=1)
    return feed.batch(examples, np.array(rows))


def test_numbers_keep_the_shape_of_their_column_and_a_single_one_gets_the_models() -> None:
    several, one = (Feature("size", "number", "float32", shape) for shape in ((3,), ()))
    values = np.arange(12, dtype=np.float32)
    for feature, stored, shape, found in (
        (several, values.reshape(4, 3), (-1, 3), [[3, 4, 5], [9, 10, 11]]),
        (several, values.reshape(4, 3), (-1, -1), [[3, 4, 5], [9, 10, 11]]),
        (several, values.reshape(4, 3), None, [[3, 4, 5], [9, 10, 11]]),
        (one, values, None, [1, 3]),
        (one, values, (-1, 1), [[1], [3]]),
    ):
        assert fed(feature, stored, Input("size", "int32", shape), [1, 3]).inputs["size"].tolist() == found


_NONE, _NOT = "age: takes a whole number ({0}), and none is given", "age: takes a whole number ({0}), not {1}"
_BEYOND = "age: takes {0}, and {1} does not fit"


@pytest.mark.parametrize(
    ("dtype", "given", "problem"),
    [
        ("int32", np.float32(np.nan), _NONE.format("int32")),
        ("int32", np.float32(0.9), _NOT.format("int32", 0.9)),
        ("int32", np.float32(np.inf), _NOT.format("int32", "inf")),
        ("int32", np.float32(2**31), _BEYOND.format("int32", 2**31)),
        ("int64", np.float32(2**63), _BEYOND.format("int64", 2**63)),
        ("uint64", np.float32(-1), _BEYOND.format("uint64", -1)),
        ("uint64", np.int64(-1), _BEYOND.format("uint64", -1)),
        ("int32", np.int64(2**31), _BEYOND.format("int32", 2**31)),
        ("int32", np.float32(-(2**31)), None),
        ("uint64", np.float32(2**63), None),
        ("int64", np.int64(2**63 - 1), None),
    ],
)
def test_a_row_without_a_whole_number_that_the_model_can_take_is_named(
    dtype: str, given: Any, problem: str | None
) -> None:
    feature = Feature("age", "number", "float32" if isinstance(given, np.float32) else "int64")
    batch = fed(feature, np.array([39, given], given.dtype), Input("age", dtype, (-1,)), [0, 1])
    assert batch.problems == ({1: problem} if problem else {})
    assert batch.inputs["age"].tolist() == [39] if problem else [39, int(given)]


def test_several_numbers_of_a_row_are_named_by_the_first_that_is_none() -> None:
    stored = np.array([[1, 2.5], [np.nan, 0.5], [3, 4]], np.float32)
    batch = fed(Feature("age", "number", "float32", (2,)), stored, Input("age", "int32", (-1, 2)), [0, 1, 2])
    assert batch.problems == {0: _NOT.format("int32", 2.5), 1: _NONE.format("int32")}
    assert batch.inputs["age"].tolist() == [[3, 4]]


def test_a_time_that_is_missing_is_no_moment_long_ago() -> None:
    feature, stored = Feature("age", "time", "int64"), np.array([MISSING_TIME, 60])
    assert fed(feature, stored, Input("age", "int64", (-1,)), [0, 1]).problems == {0: _NONE.format("int64")}
    batch = fed(feature, stored, Input("age", "float32", (-1, 1)), [0, 1])
    np.testing.assert_array_equal(batch.inputs["age"], [[np.nan], [60]])
    assert not batch.problems


def test_rows_of_a_table_go_in_by_the_names_of_their_columns(tmp_path: Path) -> None:
    prepare_dataset(
        tmp_path / "dataset",
        {"train.csv": b"age,job,pay\n20,clerk,1\n40,cook,2\n,clerk,3\n", "test.csv": b"age,job,pay\n60,spy,4\n"},
        options=Options(target="pay", features={"pay": {"kind": "number"}}),
    )

    def answer(age: Any, job: Any) -> Any:
        tf.debugging.assert_none_equal(job, b"spy")
        return {"value": age[:, 0] * 2 + tf.where(job == b"cook", 0.5, 0.0), "seen": job, "error": age}

    specs = [tf.TensorSpec((None, 1), tf.float32, "age"), tf.TensorSpec((None,), tf.string, "job")]
    model = save(tmp_path / "model", answer, specs, {"inputs": {"age": "number", "job": "category"}})
    lines = predict(tmp_path / "run", tmp_path / "dataset", model)
    assert [line["value"] for line in lines] == [40.0, 80.5, None, None]
    assert [line["error_2"] for line in lines] == [20.0, 40.0, None, None], "`error` is ours"
    assert [line["seen"] for line in lines] == ["clerk", "cook", "clerk", None]
    assert [line["origin"] for line in lines] == ["train.csv:2", "train.csv:3", "train.csv:4", "test.csv:2"]
    assert [bool(line["error"]) for line in lines] == [False, False, False, True]

    wrong = save(tmp_path / "wrong", lambda wage: {"value": wage}, [tf.TensorSpec((None,), tf.float32, "wage")], {})
    with pytest.raises(
        DatasetNotForModel, match=r"d@2 has nothing for 'wage' \(float32 \[any\]\), which the model takes"
    ):
        predict(tmp_path / "refused", tmp_path / "dataset", wrong)


def test_rows_of_what_is_no_whole_number_have_no_answer_and_the_others_lists_of_any_length(tmp_path: Path) -> None:
    """The first batch's list is of one, as that of no later batch is."""
    prepare_dataset(
        tmp_path / "dataset",
        {"train.csv": b"count,name\n1,a\n,b\n0.9,c\n3e9,d\n3,e\n"},
        options=Options(features={"count": {"kind": "number"}}),
    )

    def answer(count: Any) -> Any:
        return {"twice": count[:, None] * 2, "words": tf.fill((tf.size(count), count[0]), "w")}

    model = save(tmp_path / "model", answer, [tf.TensorSpec((None,), tf.int32, "count")], {})
    lines = predict(tmp_path / "run", tmp_path / "dataset", model, batch_size=1)
    assert [line["twice"] for line in lines] == [2, None, None, None, 6]
    assert [line["words"] for line in lines] == [["w"], None, None, None, ["w", "w", "w"]]
    assert [line["error"] for line in lines] == [
        None,
        "count: takes a whole number (int32), and none is given",
        "count: takes a whole number (int32), not 0.9",
        "count: takes int32, and 3000000000 does not fit",
        None,
    ]
