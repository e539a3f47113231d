"""What a fit's history and Keras's own callbacks know, and is no variable: kept with a checkpoint, and set again.

A callback of the code's own begins anew with each attempt; what it knows, only it can tell.
"""

import glob
import itertools
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

MAX_OLDER_BYTES = 64 << 20
"""Of the models that ModelCheckpoint wrote before its best one: each goes with every checkpoint."""
KEPT: Mapping[type, tuple[str, ...]] = {
    keras.callbacks.EarlyStopping: ("wait", "best", "best_epoch", "stopped_epoch"),
    keras.callbacks.ReduceLROnPlateau: ("wait", "best", "cooldown_counter"),
    keras.callbacks.ModelCheckpoint: ("best", "_batches_seen_since_last_saving", "_last_batch_seen"),
    keras.callbacks.SwapEMAWeights: ("_ema_weights_in_model",),
    keras.callbacks.History: ("history", "epoch"),
}


@dataclass(frozen=True)
class Remembered:
    """What the callbacks of one fit know."""

    values: Sequence[Mapping[str, Any]] = ()
    """Of each callback in the fit's list, as JSON; {} for one that is not Keras's own."""
    arrays: Sequence[NDArray[Any]] = ()
    """The best weights, of all of them; a callback's values say with `weights` which are its own: [start, end]."""
    files: Mapping[str, Path] = field(default_factory=dict)
    """The models that ModelCheckpoint wrote, by their name in the checkpoint."""


def remember(callbacks: Sequence[Any]) -> Remembered:
    """What there is to keep now."""
    values: list[Mapping[str, Any]] = []
    arrays: list[NDArray[Any]] = []
    files: dict[str, Path] = {}
    for number, callback in enumerate(callbacks):
        known: dict[str, Any] = {name: _plain(getattr(callback, name, None)) for name in _names(callback)}
        best = getattr(callback, "best_weights", None) if isinstance(callback, keras.callbacks.EarlyStopping) else None
        if best is not None:
            known["weights"] = [len(arrays), len(arrays) + len(best)]
            arrays += [np.asarray(array) for array in best]
        written = _written(callback)
        if written:
            known["files"] = [path.name for path in written]
            files |= {_file(number, path.name): path for path in written}
        values.append(known)
    return Remembered(values, arrays, files)


def recall(callbacks: Sequence[Any], kept: Remembered) -> None:
    """Set it again in the callbacks of the same fit; each is found by its place in the list."""
    for number, (callback, known) in enumerate(zip(callbacks, kept.values, strict=False)):
        if not set(_names(callback)) <= set(known):
            continue
        for name in _names(callback):
            setattr(callback, name, known[name])
        if "weights" in known:
            start, end = known["weights"]
            callback.best_weights = list(kept.arrays[start:end])
        for name in known.get("files", ()):
            folder = Path(callback.filepath).parent
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(kept.files[_file(number, name)], folder / name)


def _names(callback: Any) -> tuple[str, ...]:
    return next((names for kind, names in KEPT.items() if isinstance(callback, kind)), ())


def _file(number: int, name: str) -> str:
    return f"callback{number}-{name}"


def _written(callback: Any) -> list[Path]:
    """The file of the best model so far, with which the next is compared, and older ones as far as they are small."""
    if not isinstance(callback, keras.callbacks.ModelCheckpoint) or not callback.save_best_only:
        return []
    # Keras fills what stands in braces: the epoch, or a metric. In a folder's name they would be many folders.
    path = Path(callback.filepath)
    pattern = "*".join(map(glob.escape, re.split(r"\{[^}]*\}", path.name)))
    if "{" in str(path.parent):
        return []
    newest = sorted((file for file in path.parent.glob(pattern) if file.is_file()), key=_age)
    sizes = itertools.accumulate(file.stat().st_size for file in newest[1:])
    return newest[:1] + [file for file, size in zip(newest[1:], sizes, strict=True) if size <= MAX_OLDER_BYTES]


def _age(path: Path) -> tuple[int, str]:
    return -path.stat().st_mtime_ns, path.name


def _plain(value: Any) -> Any:
    """As JSON has it."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value if value is None or isinstance(value, (str, bool, int, float)) else np.asarray(value).tolist()
