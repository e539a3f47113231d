"""The template `import-model` in a job's process, with a dataset's pictures as real examples."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelyard.job.messages import ChildMessage, Exported, Failed
from tests.integration.job.child import Child, prepare_idx, strokes
from tests.support.imports import TEMPLATE

pytestmark = pytest.mark.timeout(600)


def brought(models: Path, folder: Path, name: str, *, dataset: bool = True, **parameters: Any) -> list[ChildMessage]:
    """What the job says."""
    if dataset:
        prepare_idx(folder / "inputs" / "dataset", strokes(20), strokes(10, seed=1), classes=4)
    (folder / "inputs").mkdir(parents=True, exist_ok=True)
    (folder / "inputs" / "source").mkdir()
    (folder / "inputs" / "source" / name).symlink_to(models / name)
    values = {"examples": 6, "input": "", "scale": 1 / 255, "seed": 0, **parameters}
    given = "inputs/dataset" if dataset else ""
    with Child(
        folder, code=str(TEMPLATE), entry="import_model:main", kind="import", dataset=given, parameters=values
    ) as child:
        _, messages = child.finish()
    return messages


def golden(folder: Path) -> dict[str, Any]:
    with np.load(folder / "model" / "golden.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


def described(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "model" / "modelyard.model.json").read_text())
    return found


async def test_a_saved_model_answers_the_datasets_pictures(models: Path, tmp_path: Path) -> None:
    messages = brought(models, tmp_path, "pictures")
    assert isinstance(messages[-1], Exported), messages[-1]
    answers = golden(tmp_path)
    pictures, mask = answers["serving_default/inputs/image"], answers["serving_default/inputs/mask"]
    assert pictures.shape == (6, 28, 28, 1)
    assert 0.5 < pictures.max() <= 1.0
    expected = pictures.mean((1, 2, 3)) * mask
    np.testing.assert_allclose(answers["serving_default/outputs/light"], expected, rtol=1e-5)
    assert described(tmp_path)["examples"] == "images of the dataset"


async def test_a_keras_file_becomes_a_classifier_of_the_datasets_pictures(models: Path, tmp_path: Path) -> None:
    messages = brought(models, tmp_path, "keras_pictures.keras")
    assert isinstance(messages[-1], Exported), messages[-1]
    assert set(described(tmp_path)["signatures"]) == {"serving_default", "encoded"}
    assert described(tmp_path)["classes"] == ["0", "1", "2", "3"]
    assert golden(tmp_path)["serving_default/inputs/image"].dtype == np.uint8


async def test_a_dataset_that_fits_no_input_is_said(models: Path, tmp_path: Path) -> None:
    failed = brought(models, tmp_path, "plain")[-1]
    assert isinstance(failed, Failed)
    assert failed.failure_class == "EXPORT_INVALID"
    assert (
        "the dataset's images (28, 28, 1) fit no input of the model ('serving_default' takes x: float32"
        in failed.message
    )


async def test_a_dataset_that_fits_no_input_of_a_keras_file_is_said_too(models: Path, tmp_path: Path) -> None:
    failed = brought(models, tmp_path, "keras_plain.keras")[-1]
    assert isinstance(failed, Failed)
    assert failed.failure_class == "EXPORT_INVALID"
    assert "the dataset's images (28, 28, 1) fit no input of the model in keras_plain.keras" in failed.message
    assert "which takes a: float32 [None, 3], b: float32 [None, 2]" in failed.message


async def test_without_a_dataset_the_description_says_that_the_examples_are_made_up(
    models: Path, tmp_path: Path
) -> None:
    messages = brought(models, tmp_path, "first", dataset=False)
    assert isinstance(messages[-1], Exported), messages[-1]
    assert described(tmp_path)["examples"].startswith("made up from the types and shapes")
    assert described(tmp_path)["made_with_tensorflow"]


async def test_files_that_are_no_model_are_named(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "old.h5").write_bytes(b"x")
    failed = brought(tmp_path / "models", tmp_path / "job", "old.h5", dataset=False)[-1]
    assert isinstance(failed, Failed)
    assert "there is an HDF5 file of Keras 2, which can't be served" in failed.message


async def test_a_model_that_draws_without_a_seed_is_brought_in_by_a_job_that_is_deterministic_otherwise(
    models: Path, tmp_path: Path
) -> None:
    messages = brought(models, tmp_path, "noisy", dataset=False)
    assert isinstance(messages[-1], Exported), messages[-1]
    assert set(golden(tmp_path)) == {"serving_default/inputs/x", "serving_default/outputs/y"}
    left_out = described(tmp_path)["not_compared"]
    assert left_out == {"serving_default": {"noise": "random, the graph draws with RandomStandardNormal"}}
