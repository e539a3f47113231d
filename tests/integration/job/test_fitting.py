"""What is said about a fit that Keras refuses: every refusal is a real one."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from modelyard.job.errors import CompiledWrong, InputsUnfit, LabelsUnfit
from modelyard.job.fitting import Fit, check_labels, diagnose

X = np.random.default_rng(0).integers(0, 255, (64, 28, 28, 1)).astype(np.uint8)
Y = np.arange(64) % 10
ONE_HOT_Y = np.eye(10)[Y]


def network(
    answers: int = 10, *, loss: Any = "sparse_categorical_crossentropy", shape: tuple[int, ...] = (28, 28, 1)
) -> Any:
    last = "sigmoid" if answers == 1 else "softmax"
    layers = [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(answers, activation=last)]
    model = keras.Sequential(layers)
    model.compile("adam", loss, metrics=["accuracy"])
    return model


def compiled_by_position() -> Any:
    model = network()
    model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
    return model


def pairs(x: Any, y: Any) -> Any:
    return tf.data.Dataset.from_tensor_slices((x, y))


REFUSED: list[tuple[str, Callable[[], tuple[Any, Any, Any]], type[Exception], str]] = [
    (
        "class numbers with a one-hot loss",
        lambda: (network(loss="categorical_crossentropy"), X, Y),
        LabelsUnfit,
        "use loss='sparse_categorical_crossentropy', or keras.utils.to_categorical(labels, 10)",
    ),
    (
        "class numbers with a one-hot loss object",
        lambda: (network(loss=keras.losses.CategoricalCrossentropy()), pairs(X, Y).batch(8), None),
        LabelsUnfit,
        "the labels are class numbers",
    ),
    ("one-hot labels with a sparse loss", lambda: (network(), X, ONE_HOT_Y), LabelsUnfit, "the labels are one-hot"),
    (
        "one-hot batches with a sparse loss",
        lambda: (network(), pairs(X, ONE_HOT_Y).batch(8), None),
        LabelsUnfit,
        "or labels.argmax(-1)",
    ),
    (
        "fewer answers than one-hot classes",
        lambda: (network(5, loss="categorical_crossentropy"), X, ONE_HOT_Y),
        LabelsUnfit,
        "make the last layer Dense(10)",
    ),
    (
        "a label beyond the last class",
        lambda: (network(5), pairs(X, Y).batch(8), None),
        LabelsUnfit,
        "there is a label 9, and the model answers 5 classes (0 to 4): make the last layer Dense(10)",
    ),
    ("a negative label", lambda: (network(), pairs(X, Y - 1).batch(8), None), LabelsUnfit, "there is a label -1"),
    (
        "two answers for a binary loss",
        lambda: (network(2, loss="binary_crossentropy"), X, Y % 2),
        LabelsUnfit,
        "make the last layer Dense(1, activation='sigmoid')",
    ),
    ("ten answers for one number", lambda: (network(loss="mse"), X, Y), LabelsUnfit, "both need the same shape"),
    ("labels that are words", lambda: (network(), X, Y.astype(str)), LabelsUnfit, "the labels are text"),
    (
        "pictures of another size",
        lambda: (network(shape=(32, 32, 3)), X, Y),
        InputsUnfit,
        "the examples have the shape (28, 28, 1) and the model takes (32, 32, 3)",
    ),
    (
        "pictures for a flat model",
        lambda: (network(shape=(784,)), pairs(X, Y).batch(8), None),
        InputsUnfit,
        "the model takes (784,)",
    ),
    (
        "a dataset without batches",
        lambda: (network(), pairs(X, Y), None),
        InputsUnfit,
        'context.dataset("train", batch_size=32), or .batch(32)',
    ),
    (
        "a dataset without labels",
        lambda: (network(), tf.data.Dataset.from_tensor_slices(X).batch(8), None),
        LabelsUnfit,
        "without labels",
    ),
    (
        "metrics in the place of loss weights",
        lambda: (compiled_by_position(), X, Y),
        CompiledWrong,
        "write metrics=['accuracy']",
    ),
    ("examples that are words", lambda: (network(), Y.astype(str), Y), InputsUnfit, "the examples are text"),
]


@pytest.mark.filterwarnings("ignore:.*shuffle=True. was passed:UserWarning")
@pytest.mark.parametrize(
    ("make", "kind", "sentence"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_a_refused_fit_is_explained(
    make: Callable[[], tuple[Any, Any, Any]], kind: type[Exception], sentence: str
) -> None:
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(1)
    model, x, y = make()
    with pytest.raises((ValueError, TypeError, tf.errors.InvalidArgumentError)):
        model.fit(x, y, verbose=0)
    reason = diagnose(Fit(model, x, y))
    assert isinstance(reason, kind)
    assert sentence in str(reason)


@pytest.mark.parametrize(
    ("answers", "loss", "x", "y"),
    [
        (10, "sparse_categorical_crossentropy", X, Y),
        (10, "sparse_categorical_crossentropy", X, Y[:, np.newaxis]),
        (10, "sparse_categorical_crossentropy", X[..., 0], Y),
        (10, "categorical_crossentropy", X, ONE_HOT_Y),
        (1, "binary_crossentropy", X, Y % 2),
        (1, "mse", X, Y),
    ],
)
def test_nothing_is_said_about_a_fit_that_works(answers: int, loss: str, x: Any, y: Any) -> None:
    model = network(answers, loss=loss)
    model.fit(x, y, verbose=0)
    assert diagnose(Fit(model, x, y)) is None
    check_labels(Fit(model, x, y))


@pytest.mark.filterwarnings("ignore:.*shuffle=True. was passed:UserWarning")
@pytest.mark.parametrize("ignored", [255, -1])
def test_labels_that_the_loss_ignores_are_of_no_class(ignored: int) -> None:
    labels = Y.copy()
    labels[::4] = ignored
    model = network(loss=keras.losses.SparseCategoricalCrossentropy(ignore_class=ignored))
    model.compile("adam", model.loss)
    for x, y in ((X, labels), (pairs(X, labels).batch(8), None)):
        check_labels(Fit(model, x, y))
        model.fit(x, y, verbose=0)
        assert diagnose(Fit(model, x, y)) is None
    labels[1] = 12
    with pytest.raises(LabelsUnfit, match="there is a label 12"):
        check_labels(Fit(model, X, labels))


def test_labels_beyond_the_last_class_are_seen_before_anything_runs() -> None:
    """A GPU would make NaN of them."""
    with pytest.raises(LabelsUnfit, match="there is a label 9"):
        check_labels(Fit(network(5), X, Y))
