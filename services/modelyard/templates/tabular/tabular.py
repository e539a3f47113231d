"""One column of a table from the others: a class, or a number."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from columns import encoded, encoder, learn_categories, learn_number, read
from figures import AreaUnderCurve, RootMeanSquaredError
from keras import layers, ops
from numpy.typing import NDArray
from target import Scale, learn_scale

from modelyard.job import context
from modelyard.job.errors import DatasetUnsuitable
from modelyard.layouts import Feature

READ = {"number": "float32", "category": "string"}
"""Kinds of columns, and what the network's input of each is."""
Rows = Mapping[str, NDArray[Any]]


def main() -> None:
    """Train on the split `train`, judge on what the dataset holds out, export a model that takes the table's values."""
    params = context.params
    columns, target = inputs(), the_target()
    rows, truth = load("train", columns, target)
    if params.permute:
        rows, truth = permuted(rows, truth, params.permute, target.name)
    numbers = {name: learn_number(rows[name]) for name, dtype in columns.items() if dtype != "string"}
    categories = {
        name: learn_categories(rows[name], params.categories) for name, dtype in columns.items() if dtype == "string"
    }
    encode = encoder(numbers, categories)
    scale = learn_scale(truth, params.target_scale) if target.kind == "number" else None
    context.report_text("columns", f"{len(numbers)} columns of numbers and {len(categories)} of categories are read")
    with context.strategy.scope():
        given, state = read(encode, categories)
        model = keras.Model(given, network(state, 1 if scale else len(context.classes)))
        compile_model(model, scale, -(-len(truth) // params.batch_size) * params.epochs)

    def examples(rows: Rows, truth: NDArray[Any]) -> tuple[Any, NDArray[Any]]:
        return encoded(encode, rows), scale.to_network(truth) if scale else truth

    values, answers = examples(rows, truth)
    model.fit(
        values,
        answers,
        batch_size=params.batch_size,
        validation_data=examples(*load(context.held_out, columns, target)) if context.held_out else None,
        epochs=params.epochs,
        callbacks=context.callbacks(),
        verbose=2,
    )
    answered = model(encode.output)
    if scale:
        answered = ops.reshape(scale.to_value(answered), (-1,))
    task = "tabular-regression" if scale else "tabular-classification"
    context.export(keras.Model(encode.input, answered), task=task)


def network(state: Any, answers: int) -> Any:
    """Two dense layers and what they answer: `answers` probabilities, or one number."""
    params = context.params
    for width in (params.units, max(1, params.units // 2)):
        state = layers.Dropout(params.dropout)(layers.Dense(width, activation="relu")(state))
    return layers.Dense(answers, activation="softmax" if answers > 1 else None, name="answer")(state)


def compile_model(model: keras.Model, scale: Scale | None, steps: int) -> None:
    """For `steps` steps; without a `scale` for classes."""
    rate = keras.optimizers.schedules.CosineDecay(context.params.learning_rate, steps, alpha=0.01)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=context.params.weight_decay)
    if scale:
        model.compile(optimizer, "mean_squared_error", metrics=[RootMeanSquaredError(scale)])
    else:
        two = [AreaUnderCurve()] if len(context.classes) == 2 else []
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy", *two])


def inputs() -> dict[str, str]:
    """The columns that are read: name -> dtype of the model's input."""
    given = [feature for feature in context.features.values() if feature.role == "input"]
    found = {feature.name: READ[feature.kind] for feature in given if feature.kind in READ}
    left = ", ".join(f"{feature.name} ({feature.kind})" for feature in given if feature.kind not in READ)
    if not found:
        raise DatasetUnsuitable(
            "the dataset has no column of numbers or of categories to learn from; its inputs are "
            f"{left or 'none'}" + ("; text-classification reads texts" if "(text)" in left else "")
        )
    if left:
        print(f"not read, as they are neither numbers nor categories: {left}")
    return found


def the_target() -> Feature:
    """The column that is learnt."""
    targets = [feature for feature in context.features.values() if feature.role == "target"]
    if len(targets) != 1:
        names = ", ".join(feature.name for feature in targets)
        raise DatasetUnsuitable(f"tabular learns one column, and the dataset has {len(targets)} targets: {names}")
    return targets[0]


def load(split: str, columns: Mapping[str, str], target: Feature) -> tuple[Rows, NDArray[Any]]:
    """By column float32 [n] or object [n] (bytes), and what is to be learnt. Raises DatasetUnsuitable."""
    rows, truth = context.arrays(split, columns=[*columns, target.name])
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
    return {
        name: named[name] if dtype == "string" else named[name].astype(np.float32) for name, dtype in columns.items()
    }, truth


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
