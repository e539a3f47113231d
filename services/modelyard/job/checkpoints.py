"""Checkpoints: everything that training on depends on, in a folder that appears complete or not at all.

    <step>/variables.npz    every variable of model, optimizer and running metrics, in Keras's order
    <step>/checkpoint.json  where in training it is, the variables' names and types, Python's and NumPy's random states

Plain arrays and JSON: nothing in a checkpoint is code.
"""

import json
import os
import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.random.seed_generator import global_seed_generator
from numpy.typing import NDArray

from modelyard.job.errors import CheckpointUnfit, Diverged

FORMAT = 1
VARIABLES_FILE = "variables.npz"
STATE_FILE = "checkpoint.json"


@dataclass(frozen=True, slots=True)
class TrainingState:
    """Where in training a checkpoint is."""

    step: int
    """Training steps done, over all fits."""
    fit: int
    """Which `fit` of the code, from 1."""
    epoch: int
    """The epoch to go on in, from 0."""
    step_in_epoch: int
    """Steps of it that are done."""
    metrics: Mapping[str, float]
    """The newest value of everything that was reported."""
    loop: bool = False
    """Whether a loop of the code's own was under way, not a `fit`."""


Named = Sequence[tuple[str, Any]]
"""What is saved: variables by names that are the same when the same code runs again."""


def save(folder: Path, state: TrainingState, named: Named) -> Path:
    """Write `folder/<step>`; raises Diverged, and writes nothing, when a variable is no longer a finite number."""
    arrays = [np.asarray(variable) for _, variable in named]
    for (name, _), array in zip(named, arrays, strict=True):
        if name.startswith("model/") and array.dtype.kind == "f" and not np.isfinite(array).all():
            raise Diverged(f"weight {name.removeprefix('model/')} is no longer a finite number at step {state.step}")
    target = folder / str(state.step)
    partial = folder / f".{state.step}"
    for leftover in (partial, target):
        shutil.rmtree(leftover, ignore_errors=True)
    partial.mkdir(parents=True)
    # NumPy stores types that it does not know itself (bfloat16) as raw bytes, so the type is written beside them.
    with (partial / VARIABLES_FILE).open("wb") as out:
        np.savez(out, allow_pickle=False, **{f"v{number}": array for number, array in enumerate(arrays)})
        out.flush()
        os.fsync(out.fileno())
    fields = {
        "format": FORMAT,
        **asdict(state),
        "names": [name for name, _ in named],
        "dtypes": [str(array.dtype) for array in arrays],
        "random": _random_state(),
    }
    (partial / STATE_FILE).write_text(json.dumps(fields))
    partial.rename(target)
    return target


def save_files(folder: Path, state: TrainingState, files: Path) -> Path:
    """Write `folder/<step>` with copies of the files that lie in `files`: for work that has no variables."""
    target, partial = folder / str(state.step), folder / f".{state.step}"
    for leftover in (partial, target):
        shutil.rmtree(leftover, ignore_errors=True)
    partial.mkdir(parents=True)
    for path in sorted(files.iterdir()):
        shutil.copyfile(path, partial / path.name)
    (partial / STATE_FILE).write_text(json.dumps({"format": FORMAT, **asdict(state)}))
    partial.rename(target)
    return target


def read_state(folder: Path) -> TrainingState:
    """Raises OSError, or CheckpointUnfit for another format."""
    fields = json.loads((folder / STATE_FILE).read_text())
    if fields.get("format") != FORMAT:
        raise CheckpointUnfit(f"the checkpoint has format {fields.get('format')!r}; this version reads {FORMAT}")
    return TrainingState(
        fields["step"],
        fields["fit"],
        fields["epoch"],
        fields["step_in_epoch"],
        fields["metrics"],
        fields.get("loop", False),
    )


def restore(folder: Path, named: Named) -> list[NDArray[Any]]:
    """Set every variable and random state; returns the running metrics' values, which Keras resets before an epoch.

    Raises CheckpointUnfit where the model is not the one that was saved.
    """
    fields = json.loads((folder / STATE_FILE).read_text())
    names = [name for name, _ in named]
    if names != fields["names"]:
        missing = set(fields["names"]) ^ set(names)
        raise CheckpointUnfit(
            f"the checkpoint has {len(fields['names'])} variables and the model {len(names)}; "
            f"they differ in {', '.join(sorted(missing)[:3]) or 'their order'}. Start a new job for a new network."
        )
    metrics: list[NDArray[Any]] = []
    with np.load(folder / VARIABLES_FILE, allow_pickle=False) as arrays:
        for number, (name, variable) in enumerate(named):
            array = arrays[f"v{number}"]
            if array.dtype.kind == "V":
                array = array.view(np.asarray(variable).dtype)
            if tuple(variable.shape) != array.shape or str(array.dtype) != fields["dtypes"][number]:
                raise CheckpointUnfit(
                    f"{name} is {array.shape} in the checkpoint and {tuple(variable.shape)} in the model"
                )
            variable.assign(array)
            if name.startswith("metrics/"):
                metrics.append(array)
    _set_random_state(fields["random"])
    return metrics


def prune(folder: Path, published: int) -> None:
    """Delete the folders that are older than the newest one which is safe elsewhere."""
    for path in folder.iterdir():
        if path.name.isdigit() and int(path.name) < published:
            shutil.rmtree(path, ignore_errors=True)


def metric_variables(model: Any) -> Sequence[Any]:
    """The variables behind the running means that Keras shows during an epoch."""
    return list(model.metrics_variables)


def of_model(model: Any) -> Named:
    """All that a `fit` changes. Keras's order is the order of creation, so it is the same when the code runs again."""
    groups: dict[str, Sequence[Any]] = {
        "model": model.variables,
        "optimizer": model.optimizer.variables if model.optimizer is not None else [],
        "metrics": metric_variables(model),
    }
    return _named(groups)


def of_loop(items: Sequence[Any]) -> Named:
    """What a loop's code says belongs to it: models, optimizers, metrics, variables, tf.random.Generators."""
    groups: dict[str, Sequence[Any]] = {}
    for number, item in enumerate(items):
        kind = "model" if isinstance(item, keras.Model) else type(item).__name__
        groups[f"{kind}/{number}"] = _parts(item)
    return _named(groups)


def _parts(item: Any) -> list[Any]:
    if isinstance(item, tf.random.Generator):
        return [item.state]
    if isinstance(item, (tf.Variable, keras.Variable)):
        return [item]
    variables = list(item.variables)
    # A model that is not compiled has no such attribute.
    if isinstance(item, keras.Model) and getattr(item, "optimizer", None) is not None:
        variables += item.optimizer.variables
    return variables


def _named(groups: Mapping[str, Sequence[Any]]) -> Named:
    every: Mapping[str, Sequence[Any]] = {**groups, "random": [global_seed_generator().state]}
    return [
        (f"{group}/{number}/{_name(variable)}", variable)
        for group, variables in every.items()
        for number, variable in enumerate(variables)
    ]


def _name(variable: Any) -> str:
    return str(getattr(variable, "path", variable.name)).rpartition("/")[2]


def _random_state() -> dict[str, Any]:
    version, python, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    return {
        "python": [version, list(python), gauss],
        "numpy": [name, [int(key) for key in keys], int(position), int(has_gauss), float(cached)],
    }


def _set_random_state(state: dict[str, Any]) -> None:
    version, python, gauss = state["python"]
    random.setstate((version, tuple(python), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, np.array(keys, np.uint32), position, has_gauss, cached))
