"""The gate of a trained model, with a model server: who lies about their answers does not become a version."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelyard.trainer.domain import AttemptFailed, FailureClass
from modelyard.trainer.gate import check_model
from tests.support.saved_model import saved_model

pytestmark = pytest.mark.timeout(120)
OUTPUT = "serving_default/outputs/probabilities"
BATCH_DEPENDENT = """
import sys, numpy as np, tensorflow as tf
class Model(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec((None, 2), tf.float32, "x")])
    def serve(self, x):
        return {"y": x - tf.reduce_mean(x, axis=0, keepdims=True)}
model = Model()
tf.saved_model.save(model, sys.argv[1], signatures={"serving_default": model.serve})
x = np.arange(8, dtype=np.float32).reshape(4, 2)
with open(sys.argv[1] + "/golden.npz", "wb") as file:
    np.savez(file, **{"serving_default/inputs/x": x, "serving_default/outputs/y": model.serve(x)["y"].numpy()})
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, bytes]:
    return saved_model(tmp_path_factory.mktemp("model") / "m")


@pytest.fixture
def folder(tmp_path: Path, model: Mapping[str, bytes]) -> Path:
    for path, content in model.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    return tmp_path


def change_golden(folder: Path, **changes: Any) -> None:
    with np.load(folder / "golden.npz") as arrays:
        golden = {name: arrays[name] for name in arrays.files}
    with (folder / "golden.npz").open("wb") as file:
        np.savez(file, **{**golden, **changes})


async def test_a_model_that_answers_as_it_did_passes(folder: Path) -> None:
    checked = await check_model(folder)
    assert [gate.kind for gate in checked.gates] == ["load", "parity", "row_wise"]
    assert all(gate.passed for gate in checked.gates)
    assert checked.row_wise


async def test_one_whose_answers_differ_from_its_golden_ones_is_refused(folder: Path) -> None:
    with np.load(folder / "golden.npz") as arrays:
        change_golden(folder, **{OUTPUT: arrays[OUTPUT][:, ::-1]})
    with pytest.raises(AttemptFailed, match="answers otherwise in output 'probabilities'") as caught:
        await check_model(folder)
    assert caught.value.failure_class is FailureClass.EXPORT_INVALID


async def test_one_that_does_not_load_is_refused_with_what_the_server_said(folder: Path) -> None:
    (folder / "saved_model.pb").write_bytes(b"not a graph")
    with pytest.raises(AttemptFailed, match="does not load in a model server") as caught:
        await check_model(folder)
    assert caught.value.failure_class is FailureClass.EXPORT_INVALID
    assert caught.value.detail


async def test_one_that_cannot_be_asked_by_its_golden_signature_is_refused(folder: Path) -> None:
    change_golden(folder, **{"other/inputs/image": np.zeros((1, 4)), "other/outputs/y": np.zeros((1, 4))})
    with pytest.raises(AttemptFailed, match="can't be asked by signature 'other'") as caught:
        await check_model(folder)
    assert caught.value.failure_class is FailureClass.EXPORT_INVALID


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"\x93NUMPY"])
async def test_golden_answers_that_cannot_be_read_are_the_models_fault(folder: Path, content: bytes) -> None:
    (folder / "golden.npz").write_bytes(content)
    with pytest.raises(AttemptFailed, match="golden answers can't be read") as caught:
        await check_model(folder)
    assert caught.value.failure_class is FailureClass.EXPORT_INVALID


async def test_golden_answers_of_any_size_are_not_loaded(folder: Path) -> None:
    with (folder / "golden.npz").open("wb") as file:
        np.savez_compressed(file, answers=np.zeros(65 << 20, np.uint8))
    with pytest.raises(AttemptFailed, match="bytes large"):
        await check_model(folder)


async def test_a_model_whose_rows_depend_on_each_other_passes_and_is_never_batched(tmp_path: Path) -> None:
    made = await asyncio.create_subprocess_exec(sys.executable, "-c", BATCH_DEPENDENT, str(tmp_path))
    assert await made.wait() == 0
    checked = await check_model(tmp_path)
    assert not checked.row_wise
    assert [(gate.kind, gate.passed) for gate in checked.gates][-1] == ("row_wise", False)
