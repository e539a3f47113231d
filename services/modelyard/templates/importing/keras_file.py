"""A `.keras` file: looked at before Keras loads it, so that what is refused is named."""

import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import keras
import tensorflow as tf

from modelyard.job.errors import DatasetUnsuitable, ExportInvalid
from modelyard.job.session import Context
from modelyard.templates.importing import examples

MAX_CONFIG_BYTES = 64 << 20
_WEIGHTS = ".weights.h5"
_ELSEWHERE = "load it where its code is, and push what model.export('folder') writes there"
_VALUES = ("__typespec__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__")
"""What Keras writes in a class's place for things that are none."""


def bring_in(path: Path, context: Context) -> None:
    """Load the file and export the model. Raises ExportInvalid."""
    _check(path)
    try:
        # compile=False: what it was trained with is not served.
        model = keras.saving.load_model(path, safe_mode=True, compile=False)
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        raise ExportInvalid(f"{path.name} describes a model that is larger than this job's memory") from error
    except Exception as error:
        raise ExportInvalid(f"Keras can't load {path.name}: {_first_lines(error)}") from error
    scale = float(context.params.scale)

    def prepare(pictures: Any) -> Any:
        return tf.cast(pictures, tf.float32) * scale

    if not context.has_dataset:
        context.export(model, metrics={})
        return
    inputs = getattr(model, "inputs", None) or []
    size = _image_size(inputs, context)
    if size is None:
        takes = ", ".join(f"{each.name}: {each.dtype} {list(each.shape)}" for each in inputs)
        raise ExportInvalid(
            f"the dataset's images ({examples.pictures_of(context)}) fit no input of the model in {path.name}, which "
            f"takes {takes or 'what it does not say'}; leave the dataset out, or bring one of such images"
        )
    integers = "int" in str(inputs[0].dtype)
    context.export(model, prepare=_unchanged if integers else prepare, image_size=size, metrics={})


def _image_size(inputs: Sequence[Any], context: Context) -> int | None:
    """The image_size to ask the dataset for; None unless pictures of it are all that the model takes."""
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        return None
    wanted = inputs[0].shape[1:]
    size = wanted[0] if wanted[0] == wanted[1] and wanted[0] is not None else 0
    try:
        shape = context.image_shape(size)
    except (ValueError, DatasetUnsuitable):
        return None
    return size if all(want in (None, have) for want, have in zip(wanted, shape, strict=True)) else None


def _unchanged(pictures: Any) -> Any:
    return pictures


def _check(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            if "config.json" not in names:
                raise ExportInvalid(f"{path.name} is no .keras file: it has no config.json")
            if archive.getinfo("config.json").file_size > MAX_CONFIG_BYTES:
                raise ExportInvalid(f"the config.json of {path.name} is larger than {MAX_CONFIG_BYTES >> 20} MiB")
            config = json.loads(archive.read("config.json"))
            for problem in _problems(config):
                raise ExportInvalid(f"{path.name}: {problem}")
            for name in sorted(names):
                if name.endswith(_WEIGHTS):
                    with archive.open(name) as weights, h5py.File(weights, "r") as file:
                        _check_weights(name, file)
    except (OSError, ValueError, KeyError, RecursionError, zipfile.BadZipFile) as error:
        raise ExportInvalid(f"{path.name} can't be read: {_first_lines(error)}") from error


def _problems(config: Any) -> Iterator[str]:
    """What of a configuration would run code that is not Keras's."""
    if isinstance(config, list):
        for item in config:
            yield from _problems(item)
    if not isinstance(config, dict):
        return
    kind, module = config.get("class_name"), config.get("module")
    inner = config.get("config")
    name = inner.get("name") if isinstance(inner, dict) else None
    what = f"layer {name!r}" if isinstance(name, str) else f"{kind!r}"
    if kind in ("Lambda", "__lambda__"):
        yield f"{what} is a Lambda, which is Python code inside the file; {_ELSEWHERE}"
    elif kind == "TFSMLayer":
        yield f"{what} is a TFSMLayer, which loads another SavedModel by its path; {_ELSEWHERE}"
    elif isinstance(kind, str) and "module" in config and kind not in _VALUES:
        known = module is None or module == "builtins" or str(module).partition(".")[0] == "keras"
        registered = config.get("registered_name")
        if not known:
            yield f"{what} is of class {module}.{kind}, which is none of Keras's own; {_ELSEWHERE}"
        elif isinstance(registered, str) and ">" in registered:
            yield f"{what} is of class {registered}, which is none of Keras's own; {_ELSEWHERE}"
        elif module is None and kind != "function" and not hasattr(keras.layers, kind):
            yield f"{what} is of class {registered or kind}, which is none of Keras's own; {_ELSEWHERE}"
    for item in config.values():
        yield from _problems(item)


def _check_weights(name: str, file: Any) -> None:
    """HDF5 can point to other files of the machine, which Keras would read."""

    def look(group: Any) -> None:
        for key in group:
            link = group.get(key, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                raise ExportInvalid(
                    f"{name}: {group.name.rstrip('/')}/{key} is a link to another file ({link.filename!r}); save the "
                    "model again with model.save()"
                )
            if isinstance(link, h5py.SoftLink):
                continue
            item = group[key]
            if isinstance(item, h5py.Group):
                look(item)
            elif item.external or item.is_virtual:
                raise ExportInvalid(f"{name}: {item.name} keeps its numbers in another file; save the model again")

    look(file)


def _first_lines(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2])[:500] or type(error).__name__
