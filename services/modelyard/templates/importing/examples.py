"""What a model is asked: a dataset's images, the examples that it came with, or none that are known."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from modelyard.job.errors import DatasetUnsuitable, ExportInvalid
from modelyard.job.export import DESCRIPTION_FILE, GOLDEN_FILE
from modelyard.job.session import Context
from modelyard.job.spread import spread
from modelyard.job.values import Form
from modelyard.templates.importing.inputs import Arrays, Spec

Signatures = Mapping[str, tuple[dict[str, Spec], dict[str, Spec]]]
MADE_UP = "made up from the types and shapes of the signatures"
BROUGHT = "those that the model came with"
_ABOUT = ("image_shape", "inputs", "categories", "audio")


@dataclass(frozen=True, slots=True)
class Chosen:
    """Inputs that are known, by signature and name."""

    origin: str
    """In words."""
    synthetic: bool = False
    inputs: Mapping[str, Arrays] = field(default_factory=dict)

    def of(self, signature: str) -> Arrays:
        """What is known for one signature."""
        return dict(self.inputs.get(signature, {}))


@dataclass(frozen=True, slots=True)
class Kept:
    """What a model that was a version before says of itself."""

    task: str = ""
    classes: list[str] = field(default_factory=list)
    about: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Arrays] = field(default_factory=dict)


def kept(folder: Path) -> Kept:
    """Nothing where it is no such model, or what it says can't be read."""
    try:
        described = json.loads((folder / DESCRIPTION_FILE).read_bytes())
        inputs: dict[str, Arrays] = {}
        with np.load(folder / GOLDEN_FILE, allow_pickle=False) as arrays:
            for key in arrays.files:
                signature, found, name = key.partition("/inputs/")
                if found:
                    inputs.setdefault(signature, {})[name] = arrays[key]
        return Kept(
            str(described.get("task", "")),
            [str(name) for name in described.get("classes", ())],
            {key: described[key] for key in _ABOUT if key in described},
            inputs,
        )
    except (OSError, ValueError, EOFError, KeyError, TypeError, AttributeError, RecursionError):
        return Kept()


def choose(context: Context, signatures: Signatures, earlier: Kept) -> Chosen:
    """Raises ExportInvalid for a dataset that fits no input."""
    if context.has_dataset:
        found = {
            name: {key: _pictures(context, spec)}
            for name, (inputs, _) in signatures.items()
            for key, spec in [_fitting(context, inputs)]
            if spec is not None
        }
        if not found:
            raise ExportInvalid(_unfit(context, signatures))
        return Chosen("images of the dataset", inputs=found)
    brought = {
        name: arrays
        for name, arrays in earlier.inputs.items()
        if name in signatures
        and all(key in arrays and spec.takes(arrays[key].shape) for key, spec in signatures[name][0].items())
    }
    return Chosen(BROUGHT, inputs=brought) if brought else Chosen(MADE_UP, synthetic=True)


def _fitting(context: Context, inputs: Mapping[str, Spec]) -> tuple[str, Spec | None]:
    """The input that takes the dataset's images: named by the parameter, else the first that fits."""
    wanted = str(context.params.input)
    for key, spec in inputs.items():
        if (not wanted or key == wanted) and _size(context, spec) is not None:
            return key, spec
    return "", None


def _size(context: Context, spec: Spec) -> int | None:
    """The image_size to ask the dataset for; None if its images can't be brought into this form."""
    if spec.dtype == tf.string:
        return 0 if spec.shape in ((-1,), None) else None
    if not spec.picture or spec.shape is None or not (spec.dtype == tf.uint8 or spec.dtype.is_floating):
        return None
    _, height, width, channels = spec.shape
    size = height if height == width and height > 0 else 0
    try:
        shape = context.image_shape(size)
    except (ValueError, DatasetUnsuitable):
        return None
    return size if spec.takes((1, *shape)) and channels in (-1, shape[2]) else None


def _pictures(context: Context, spec: Spec) -> Any:
    split, image = context.held_out or "train", context.data.image
    assert image is not None
    form = Form(_size(context, spec) or 0)
    rows = context.data.readable(split, spread(context.splits[split], int(context.params.examples)), form)
    shown = context.data.some(split, [image.name], rows, form)[image.name]
    if spec.dtype == tf.string:
        return np.array([tf.io.encode_png(picture).numpy() for picture in shown])
    if spec.dtype == tf.uint8:
        return np.asarray(shown)
    return (np.asarray(shown, np.float32) * float(context.params.scale)).astype(spec.dtype.as_numpy_dtype)


def _unfit(context: Context, signatures: Signatures) -> str:
    takes = "; ".join(
        f"{name!r} takes "
        + ", ".join(f"{key}: {spec.dtype.name} {list(spec.shape or [])}" for key, spec in inputs.items())
        for name, (inputs, _) in signatures.items()
    )
    return (
        f"the dataset's images ({pictures_of(context)}) fit no input of the model ({takes}); say which with "
        "--set input=NAME, or leave the dataset out"
    )


def pictures_of(context: Context) -> str:
    """What form the dataset's images have, in words."""
    try:
        return ", ".join(map(str, context.image_shape()))
    except (ValueError, DatasetUnsuitable):
        return "of different sizes"
