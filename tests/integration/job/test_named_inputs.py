"""What is said about a fit on columns by name, or on texts, that Keras refuses: every refusal is a real one."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from modelyard.job.errors import Diverged, InputsUnfit, LabelsUnfit
from modelyard.job.fitting import Fit, diagnose

pytestmark = [
    pytest.mark.filterwarnings("ignore:The structure of `inputs` doesn't match:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*shuffle=True. was passed:UserWarning"),
]

AGE = np.arange(64, dtype=np.float32)
JOB = np.array([b"clerk", b"cook"] * 32, object)
ROWS = {"age": AGE, "hours": AGE[::-1].copy()}
CLASS = np.arange(64) % 2
PAY = AGE * 1.5


def columns(*, loss: str = "sparse_categorical_crossentropy", answers: int = 2, **inputs: Any) -> Any:
    given = {name: keras.Input(**how, name=name) for name, how in inputs.items()}
    parts = [part if part.shape[1:] else keras.ops.expand_dims(part, -1) for part in given.values()]
    state = keras.layers.Concatenate()(parts) if len(parts) > 1 else parts[0]
    activation = "softmax" if answers > 1 else None
    model = keras.Model(given, keras.layers.Dense(answers, activation=activation)(state))
    model.compile("sgd", loss)
    return model


def one_array(size: int) -> Any:
    model = keras.Sequential([keras.Input((size,)), keras.layers.Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def batches(x: Any, y: Any) -> Any:
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(16)


NUMBER: dict[str, Any] = {"shape": ()}
REFUSED: list[tuple[str, Callable[[], tuple[Any, Any, Any]], type[Exception], str]] = [
    (
        "columns for a model of one array",
        lambda: (one_array(2), batches(ROWS, CLASS), None),
        InputsUnfit,
        "the examples are 2 columns by name (age, hours) and the model takes one array of (2,): give it a keras.Input",
    ),
    (
        "one array for a model of columns",
        lambda: (columns(age=NUMBER, hours=NUMBER), np.stack([AGE, AGE], -1), CLASS),
        InputsUnfit,
        "the model takes 2 inputs (age, hours) and the examples are one array: give a dict with an array for each",
    ),
    (
        "a column by another name",
        lambda: (columns(age=NUMBER, hour=NUMBER), batches(ROWS, CLASS), None),
        InputsUnfit,
        "the model has an input 'hour' and the examples have no such column; did you mean 'hours'?",
    ),
    (
        "a column of texts for an input of numbers",
        lambda: (
            columns(age=NUMBER, job=NUMBER),
            tf.data.Dataset.from_tensor_slices(({"age": AGE, "job": JOB.tolist()}, CLASS)).batch(16),
            None,
        ),
        InputsUnfit,
        "the column 'job' is text (strings) and the model's input takes float32: make it keras.Input(",
    ),
    (
        "numbers for an input of many",
        lambda: (columns(age={"shape": (3, 2)}, hours={"shape": (3, 2)}), batches(ROWS, CLASS), None),
        InputsUnfit,
        "the column 'age' has the shape () for each example and the model's input takes (3, 2)",
    ),
    (
        "texts for a model of numbers",
        lambda: (one_array(1), tf.data.Dataset.from_tensor_slices((JOB.tolist(), CLASS)).batch(16), None),
        InputsUnfit,
        "the examples are text (strings) and the model takes numbers; turn them into numbers first",
    ),
    (
        "several targets for one answer",
        lambda: (columns(age=NUMBER, hours=NUMBER), batches(ROWS, {"pay": PAY, "band": CLASS}), None),
        LabelsUnfit,
        "the labels are 2 columns by name (pay, band) and the model has one answer: choose one",
    ),
    (
        "a number where a class is learnt",
        lambda: (columns(age=NUMBER, hours=NUMBER), batches(ROWS, PAY), None),
        LabelsUnfit,
        "the labels are numbers such as 1.5 and the loss 'sparse_categorical_crossentropy' takes class numbers",
    ),
]


@pytest.mark.parametrize(
    ("make", "kind", "sentence"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_a_refused_fit_on_columns_or_texts_is_explained(
    make: Callable[[], tuple[Any, Any, Any]], kind: type[Exception], sentence: str
) -> None:
    model, x, y = make()
    with pytest.raises((ValueError, TypeError, KeyError, tf.errors.OpError)):
        model.fit(x, y, verbose=0)
    reason = diagnose(Fit(model, x, y))
    assert isinstance(reason, kind)
    assert sentence in str(reason)


def test_a_loss_that_is_no_number_for_what_is_missing_names_the_column() -> None:
    rows = {**ROWS, "hours": np.where(AGE == 9, np.nan, AGE).astype(np.float32)}
    model = columns(age=NUMBER, hours=NUMBER, loss="mse", answers=1)
    data = batches(rows, PAY)
    history = model.fit(data, verbose=0)
    assert np.isnan(history.history["loss"][0])
    reason = diagnose(Fit(model, data, None))
    assert isinstance(reason, InputsUnfit)
    assert "the column 'hours' has missing values (NaN), 1 in the 64 examples that were looked at" in str(reason)
    assert Diverged.reason != reason.reason


@pytest.mark.parametrize("x", [ROWS, batches(ROWS, CLASS)], ids=["arrays", "batches"])
def test_nothing_is_said_about_a_fit_on_columns_that_works(x: Any) -> None:
    model = columns(age=NUMBER, hours={"shape": (1,)})
    y = CLASS if isinstance(x, dict) else None
    model.fit(x, y, verbose=0)
    assert diagnose(Fit(model, x, y)) is None
