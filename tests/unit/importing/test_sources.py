import zipfile
from pathlib import Path

import pytest

from modelyard.job.errors import ExportInvalid
from modelyard.templates.importing.sources import KerasFile, SavedModelFolder, find


def made(folder: Path, *paths: str) -> Path:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        if path.endswith(".keras"):
            with zipfile.ZipFile(folder / path, "w") as archive:
                archive.writestr("config.json", "{}")
        else:
            (folder / path).write_bytes(b"x")
    return folder


def test_a_saved_model_is_found_at_the_root_or_one_folder_down(tmp_path: Path) -> None:
    assert find(made(tmp_path / "a", "saved_model.pb", "variables/x")) == SavedModelFolder(tmp_path / "a")
    assert find(made(tmp_path / "b", "7/saved_model.pb")) == SavedModelFolder(tmp_path / "b" / "7")


def test_a_keras_file_is_found_at_the_root_or_one_folder_down(tmp_path: Path) -> None:
    assert find(made(tmp_path / "a", "m.keras")) == KerasFile(tmp_path / "a" / "m.keras")
    assert find(made(tmp_path / "b", "x/m.keras", "x/README.md")) == KerasFile(tmp_path / "b" / "x" / "m.keras")


@pytest.mark.parametrize(
    ("paths", "problem"),
    [
        (("1/saved_model.pb", "2/saved_model.pb"), "there is more than one model: 1, 2; push one of them"),
        (("a.keras", "b.keras"), "there is more than one model: a.keras, b.keras"),
        (("old.h5",), "there is an HDF5 file of Keras 2, which can't be served; load it where it was made"),
        (("saved_model.pbtxt",), "there is a SavedModel in text form"),
        (("m.tflite",), "there is a TensorFlow Lite model"),
        (("m.onnx",), "there is an ONNX model"),
        (("checkpoint", "x.index"), "there is a checkpoint, which has weights and no model"),
        (
            ("notes.txt",),
            "there is no model: a SavedModel has saved_model.pb, a Keras model ends in .keras; there is notes",
        ),
        (("a/b/saved_model.pb",), "there is no model"),
    ],
)
def test_what_is_there_instead_is_said(tmp_path: Path, paths: tuple[str, ...], problem: str) -> None:
    with pytest.raises(ExportInvalid) as caught:
        find(made(tmp_path, *paths))
    assert problem in caught.value.message


def test_a_keras_file_that_is_no_archive_is_said(tmp_path: Path) -> None:
    (tmp_path / "m.keras").write_bytes(b"no archive")
    with pytest.raises(ExportInvalid, match="is no zip archive"):
        find(tmp_path)
