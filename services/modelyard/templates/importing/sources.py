"""What somebody pushed: a SavedModel's folder or a `.keras` file."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

from modelyard.job.errors import ExportInvalid

GRAPH_FILE = "saved_model.pb"
_MAX_NAMED = 10


@dataclass(frozen=True, slots=True)
class SavedModelFolder:
    """A folder with `saved_model.pb`."""

    folder: Path


@dataclass(frozen=True, slots=True)
class KerasFile:
    """A model in Keras's own format."""

    path: Path


def find(source: Path) -> SavedModelFolder | KerasFile:
    """The one model in `source`, at its root or one folder down. Raises ExportInvalid that says what is there."""
    if (source / GRAPH_FILE).is_file():
        return SavedModelFolder(source)
    below = sorted(path.parent for path in source.glob(f"*/{GRAPH_FILE}") if path.is_file())
    keras = sorted(path for pattern in ("*.keras", "*/*.keras") for path in source.glob(pattern) if path.is_file())
    if len(below) + len(keras) > 1:
        names = ", ".join(str(path.relative_to(source)) for path in [*below, *keras][:_MAX_NAMED])
        raise ExportInvalid(f"there is more than one model: {names}; push one of them")
    if below:
        return SavedModelFolder(below[0])
    if keras:
        if not zipfile.is_zipfile(keras[0]):
            raise ExportInvalid(f"{keras[0].name} is no .keras file: it is no zip archive; save it with model.save()")
        return KerasFile(keras[0])
    raise ExportInvalid(_nothing(source))


def _nothing(source: Path) -> str:
    names = sorted(path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file())
    for ending, what, remedy in (
        (".h5", "an HDF5 file of Keras 2", "load it where it was made and save it as .keras or with model.export()"),
        (".hdf5", "an HDF5 file of Keras 2", "load it where it was made and save it as .keras or with model.export()"),
        (".pbtxt", "a SavedModel in text form", f"save it in binary form, as {GRAPH_FILE}"),
        (".tflite", "a TensorFlow Lite model", "push the SavedModel that it was converted from"),
        (".onnx", "an ONNX model", "push a SavedModel"),
        ("checkpoint", "a checkpoint, which has weights and no model", "export the model with model.export()"),
    ):
        if any(name.endswith(ending) for name in names):
            return f"there is {what}, which can't be served; {remedy}"
    shown = ", ".join(names[:_MAX_NAMED]) or "nothing"
    return f"there is no model: a SavedModel has {GRAPH_FILE}, a Keras model ends in .keras; there is {shown}"
