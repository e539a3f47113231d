"""One column of a table from the others: a class, or a number."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from columns import encoded, encoder, learn_categories, learn_number, learn_vector, read, row_bytes
from figures import AreaUnderCurve, RootMeanSquaredError
from keras import layers, ops
from numpy.typing import NDArray
from target import Scale, learn_scale

from modelyard.job import context
from modelyard.job.errors import DatasetUnsuitable
from modelyard.layouts import Feature
from modelyard.templates.fitting import ONE

MOST_ENCODED = 1 << 30
"""Bytes of a split that is encoded before training; of more each batch is encoded as it is needed, which is slower."""
Columns = Mapping[str, Feature]
Rows = Mapping[str, NDArray[Any]]


def main() -> None:
    """Train on the split `train`, judge on what the dataset holds out, export a model that takes the table's values."""
    params = context.params
    columns, target = inputs(), the_target()
    rows, truth = load("train", columns, target)
    if params.permute:
        rows, truth = permuted(rows, truth, params.permute, target.name)
    numbers = {name: rows[name] for name, column in columns.items() if column.kind == "number"}
    vectors = {name: learn_vector(values) for name, values in numbers.items() if values.ndim > 1}
    scalars = {name: learn_number(values) for name, values in numbers.items() if values.ndim == 1}
    categories = {name: learn_categories(rows[name], params.categories) for name in columns if name not in numbers}
    encode = encoder(scalars, vectors, categories)
    scale = learn_scale(truth, params.target_scale) if target.kind == "number" else None
    said = f"{len(scalars)} columns of numbers and {len(categories)} of categories are read"
    context.report_text("columns", said + (f", and {len(vectors)} of several numbers a row" if vectors else ""))
    held_out = load(context.held_out, columns, target) if context.held_out else None
    with context.strategy.scope():
        given, state = read(encode, categories)
        model = keras.Model(given, network(state, 1 if scale else len(context.classes)))
        two = not scale and len(context.classes) == 2 and len(np.unique((held_out or (rows, truth))[1])) == 2
        compile_model(model, scale, -(-len(truth) // params.batch_size) * params.epochs, area=two)

    def answers(truth: NDArray[Any]) -> NDArray[Any]:
        return scale.to_network(truth) if scale else truth

    model.fit(
        **learnt(encode, rows, answers(truth)),
        validation_data=judged(encode, held_out[0], answers(held_out[1])) if held_out else None,
        validation_batch_size=params.batch_size,
        epochs=params.epochs,
        callbacks=context.callbacks(),
        verbose=2,
    )
    answered = model(encode.output)
    if scale:
        answered = ops.reshape(scale.to_value(answered), (-1,))
    task = "tabular-regression" if scale else "tabular-classification"
    context.export(keras.Model(encode.input, answered), task=task)


def learnt(encode: keras.Model, rows: Rows, answers: NDArray[Any]) -> dict[str, Any]:
    """The training rows as `fit` takes them: the same batches, whether all are encoded before or each by itself."""
    size = context.params.batch_size
    if len(answers) * row_bytes(encode) <= MOST_ENCODED:
        return {"x": encoded(encode, rows), "y": answers, "batch_size": size}
    return {"x": _encoding(encode, context.data.ordered_arrays(({**rows}, answers), size))}


def judged(encode: keras.Model, rows: Rows, answers: NDArray[Any]) -> Any:
    """The held-out rows as `fit` takes them."""
    if len(answers) * row_bytes(encode) <= MOST_ENCODED:
        return encoded(encode, rows), answers
    with tf.device("CPU:0"):
        whole = tf.data.Dataset.from_tensor_slices(({**rows}, answers))
    return _encoding(encode, whole.batch(context.params.batch_size))


def _encoding(encode: keras.Model, batches: Any) -> Any:
    """A tf.data.Dataset of batches of rows, with each encoded on its way."""
    return batches.map(
        lambda rows, answers: (encode(rows), answers), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    ).prefetch(tf.data.AUTOTUNE)


def network(state: Any, answers: int) -> Any:
    """Two dense layers and what they answer: `answers` probabilities, or one number."""
    params = context.params
    for width in (params.units, max(1, params.units // 2)):
        state = layers.Dropout(params.dropout)(layers.Dense(width, activation="relu")(state))
    return layers.Dense(answers, activation="softmax" if answers > 1 else None, name="answer")(state)


def compile_model(model: keras.Model, scale: Scale | None, steps: int, *, area: bool) -> None:
    """For `steps` steps; without a `scale` for classes. `area`: whether the rows that judge are of two classes; of one
    alone Keras takes the area under the curve for 0."""
    rate = keras.optimizers.schedules.CosineDecay(context.params.learning_rate, steps, alpha=0.01)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=context.params.weight_decay)
    if scale:
        model.compile(optimizer, "mean_squared_error", metrics=[RootMeanSquaredError(scale)])
    else:
        curve = [AreaUnderCurve()] if area else []
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy", *curve])


def inputs() -> dict[str, Feature]:
    """The columns that are read, by name."""
    given = [feature for feature in context.features.values() if feature.role == "input"]
    found = {feature.name: feature for feature in given if _is_read(feature)}
    left = ", ".join(f"{feature.name} ({_called(feature)})" for feature in given if feature.name not in found)
    if not found:
        raise DatasetUnsuitable(
            "the dataset has no column of numbers or of categories to learn from; its inputs are "
            f"{left or 'none'}" + ("; text-classification reads texts" if "(text)" in left else "")
        )
    if left:
        print(f"not read, as they are neither numbers nor categories, or not as many in each row: {left}")
    return found


def _is_read(feature: Feature) -> bool:
    """Numbers, also several where each row has as many; and one category a row."""
    return (feature.kind == "number" and None not in feature.shape) or (
        feature.kind == "category" and feature.shape == ()
    )


def _called(feature: Feature) -> str:
    """`text`, or `number [any]` where a row has several."""
    return feature.kind + (f" {_sizes(feature)}" if feature.shape else "")


def _sizes(feature: Feature) -> str:
    return f"[{', '.join('any' if size is None else str(size) for size in feature.shape)}]"


def the_target() -> Feature:
    """The column that is learnt."""
    targets = [feature for feature in context.features.values() if feature.role == "target"]
    if len(targets) != 1:
        names = ", ".join(feature.name for feature in targets)
        raise DatasetUnsuitable(f"tabular learns one column, and the dataset has {len(targets)} targets: {names}")
    target = targets[0]
    if target.shape not in ONE:
        raise DatasetUnsuitable(
            f"the target {target.name!r} has several values a row, {_sizes(target)}; tabular learns one: make each of "
            "them a feature of its own and say which of these is the target"
        )
    return target


def load(split: str, columns: Columns, target: Feature) -> tuple[Rows, NDArray[Any]]:
    """By column float32 [n] or [n, …], or object [n] (bytes), and what is to be learnt. Raises DatasetUnsuitable."""
    rows, truth = context.arrays(split, columns=[*columns, target.name])
    truth = truth.reshape(-1)
    # One column alone comes without its name.
    named = rows if isinstance(rows, Mapping) else {next(iter(columns)): rows}
    unknown = np.flatnonzero(~np.isfinite(truth) if target.kind == "number" else truth < 0)
    if len(unknown):
        where = context.example_path(split, int(unknown[0]))
        raise DatasetUnsuitable(
            f"{len(unknown):,} rows of split {split!r} have no usable value in the target {target.name!r}, the first "
            f"is {where}; leave such rows out"
        )
    if target.kind == "category" and len(context.classes) < 2:
        raise DatasetUnsuitable(
            f"the target {target.name!r} has one class only ({context.classes[0]!r}); there is nothing to tell apart"
        )
    return {name: _values(named[name], column) for name, column in columns.items()}, truth


def _values(given: NDArray[Any], column: Feature) -> NDArray[Any]:
    if column.kind == "category":
        return given
    return (given.reshape(-1) if column.shape in ONE else given).astype(np.float32, copy=False)


def permuted(rows: Rows, truth: NDArray[Any], column: str, target: str) -> tuple[Rows, NDArray[Any]]:
    """The column's values, or the target's, among the wrong rows."""
    order = np.random.default_rng(context.seed).permutation(len(truth))
    if column == target:
        return rows, truth[order]
    if column not in rows:
        raise DatasetUnsuitable(
            f"there is no column {column!r} to permute; there is {', '.join([*rows, target])}",
            field="parameters.permute",
        )
    return {**rows, column: rows[column][order]}, truth
