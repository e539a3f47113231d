"""Checkpoints: everything that training on depends on, in a folder that appears complete or not at all.

    <step>/variables.npz    every variable of model, optimizers and running metrics, in Keras's order
    <step>/checkpoint.json  where in training it is, the variables' names and types, Python's and NumPy's random states,
                            what Keras's callbacks know
    <step>/callbacks.npz    the best weights that they have; beside it the best models that they wrote
    <step>/finished/<fit>/  the same of each earlier fit at its end, so that its model is again what it was

Plain arrays and JSON: nothing in a checkpoint is code, but the models that the job's own callbacks wrote.
"""

import contextlib
import json
import os
import random
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.src.random.seed_generator import global_seed_generator
from numpy.typing import NDArray

from modelyard.job import optimizers
from modelyard.job.errors import CheckpointUnfit, Diverged
from modelyard.job.remembered import Remembered

FORMAT = 1
VARIABLES_FILE = "variables.npz"
CALLBACKS_FILE = "callbacks.npz"
STATE_FILE = "checkpoint.json"
FINISHED_FOLDER = "finished"


@dataclass(frozen=True, slots=True)
class TrainingState:
    """Where in training a checkpoint is."""

    step: int
    """Training steps done, over all fits."""
    fit: int
    """Which `fit` or loop of the code, from 1."""
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


def save(
    target: Path, state: TrainingState, named: Named, remembered: Remembered, finished: Mapping[int, Path]
) -> None:
    """Write `target`, with the ends of earlier fits, by their numbers; raises Diverged, and writes nothing, when a
    variable is no longer a finite number."""
    arrays = [np.asarray(variable) for _, variable in named]
    for (name, _), array in zip(named, arrays, strict=True):
        if name.startswith("model/") and array.dtype.kind == "f" and not np.isfinite(array).all():
            raise Diverged(f"weight {name.removeprefix('model/')} is no longer a finite number at step {state.step}")
    with _complete(target) as partial:
        _write_arrays(partial / VARIABLES_FILE, arrays)
        if remembered.arrays:
            _write_arrays(partial / CALLBACKS_FILE, remembered.arrays)
        for name, path in remembered.files.items():
            shutil.copyfile(path, partial / name)
        for fit, folder in finished.items():
            _copy_files(folder, partial / FINISHED_FOLDER / str(fit))
        fields = {
            "format": FORMAT,
            **asdict(state),
            "names": [name for name, _ in named],
            "dtypes": _dtypes(arrays),
            "random": _random_state(),
            "callbacks": remembered.values,
            "callback_dtypes": _dtypes(remembered.arrays),
            "callback_files": list(remembered.files),
        }
        (partial / STATE_FILE).write_text(json.dumps(fields))


@contextlib.contextmanager
def _complete(target: Path) -> Iterator[Path]:
    """A folder to write into, which becomes `target` when all is there."""
    partial = target.with_name(f".{target.name}")
    for leftover in (partial, target):
        shutil.rmtree(leftover, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    partial.rename(target)


def copy(source: Path, target: Path, finished: Mapping[int, Path]) -> None:
    """Write `target` as a checkpoint like `source`, which is the end of a fit, with the ends of earlier ones."""
    with _complete(target) as partial:
        _copy_files(source, partial)
        for fit, folder in finished.items():
            _copy_files(folder, partial / FINISHED_FOLDER / str(fit))


def _copy_files(source: Path, target: Path) -> None:
    """A checkpoint's own files, once more. Not by a link: the worker takes no file that has another name elsewhere."""
    target.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        if path.is_file():
            shutil.copyfile(path, target / path.name)


def finished_in(folder: Path) -> dict[int, Path]:
    """The ends of earlier fits that a checkpoint has, by their numbers."""
    ends = folder / FINISHED_FOLDER
    return {int(path.name): path for path in sorted(ends.iterdir())} if ends.exists() else {}


def _write_arrays(path: Path, arrays: Sequence[NDArray[Any]]) -> None:
    # NumPy stores types that it does not know itself (bfloat16) as raw bytes, so the type is written elsewhere.
    with path.open("wb") as out:
        np.savez(out, allow_pickle=False, **{f"v{number}": array for number, array in enumerate(arrays)})
        out.flush()
        os.fsync(out.fileno())


def _read_arrays(path: Path, dtypes: Sequence[str]) -> Iterator[NDArray[Any]]:
    with np.load(path, allow_pickle=False) as arrays:
        for number, dtype in enumerate(dtypes):
            array = arrays[f"v{number}"]
            yield array.view(tf.as_dtype(dtype).as_numpy_dtype) if array.dtype.kind == "V" else array


def _dtypes(arrays: Sequence[NDArray[Any]]) -> list[str]:
    return [str(array.dtype) for array in arrays]


def save_files(folder: Path, state: TrainingState, files: Path) -> Path:
    """Write `folder/<step>` with copies of the files that lie in `files`: for work that has no variables."""
    with _complete(folder / str(state.step)) as partial:
        for path in sorted(files.iterdir()):
            shutil.copyfile(path, partial / path.name)
        (partial / STATE_FILE).write_text(json.dumps({"format": FORMAT, **asdict(state)}))
    return folder / str(state.step)


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


def names(folder: Path) -> list[str]:
    """Of the variables that a checkpoint has."""
    found: list[str] = json.loads((folder / STATE_FILE).read_text())["names"]
    return found


def restore(folder: Path, named: Named) -> list[NDArray[Any]]:
    """Set every variable and random state; returns the running metrics' values, which Keras resets before an epoch.

    Raises CheckpointUnfit where the model is not the one that was saved.
    """
    fields = json.loads((folder / STATE_FILE).read_text())
    wanted = [name for name, _ in named]
    if wanted != fields["names"]:
        missing = set(fields["names"]) ^ set(wanted)
        raise CheckpointUnfit(
            f"the checkpoint has {len(fields['names'])} variables and the model {len(wanted)}; "
            f"they differ in {', '.join(sorted(missing)[:3]) or 'their order'}. Start a new job for a new network."
        )
    metrics: list[NDArray[Any]] = []
    for (name, variable), array in zip(named, _read_arrays(folder / VARIABLES_FILE, fields["dtypes"]), strict=True):
        if tuple(variable.shape) != array.shape or tf.as_dtype(variable.dtype).name != str(array.dtype):
            raise CheckpointUnfit(f"{name} is {array.shape} in the checkpoint and {tuple(variable.shape)} in the model")
        variable.assign(array)
        if name.startswith("metrics/"):
            metrics.append(array)
    _set_random_state(fields["random"])
    return metrics


def read_remembered(folder: Path) -> Remembered:
    """What the callbacks knew; raises OSError."""
    fields = json.loads((folder / STATE_FILE).read_text())
    arrays = list(_read_arrays(folder / CALLBACKS_FILE, types)) if (types := fields.get("callback_dtypes")) else []
    return Remembered(
        fields.get("callbacks", ()), arrays, {name: folder / name for name in fields.get("callback_files", ())}
    )


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
        **{f"optimizer.{name}": optimizer.variables for name, _, optimizer in optimizers.beside(model)},
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
