"""T-SBX-04: models that try to read, write, run Python or take the machine's memory. None of it happens outside the
sandbox, none becomes a version, and the reason names the operation, layer or class."""

from pathlib import Path

import pytest

from modelyard.foundation.sandbox.policy import Tier
from modelyard.trainer.domain import FailureClass
from modelyard.trainer.gates import GateFailed, check_model
from tests.support.imports import imported

pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize(
    ("name", "gate", "problem"),
    [
        ("reads", "ops", "operation ReadFile (node 'ReadFile' in function '__inference_"),
        ("writes", "ops", "operation WriteFile (node 'WriteFile' in function '__inference_hidden_"),
        ("calls_python", "ops", "operation EagerPyFunc (node 'EagerPyFunc' in function '__inference_"),
        ("prints_to_file", "ops", "operation PrintV2 (node 'PrintV2' in function '__inference_serve_"),
        ("saves", "ops", "operation SaveV2 (node 'SaveV2' in function '__inference_serve_"),
        ("looks_up_a_file", "ops", "operation InitializeTableFromTextFileV2 (node"),
        ("custom", "ops", "operation EvilOp (node 'MatMul' in function"),
        ("huge", "integrity", "claims the shape [100000, 100000], which is more than 2 GiB"),
        ("warm", "warmup", "has 1000000 rows in 'x'; at most 4096 are allowed"),
    ],
)
async def test_an_evil_saved_model_is_refused_by_name(brought_in: Path, name: str, gate: str, problem: str) -> None:
    with pytest.raises(GateFailed) as caught:
        await check_model(brought_in / name / "model", tier=Tier.FOREIGN)
    assert caught.value.failure_class is FailureClass.EXPORT_INVALID
    assert (caught.value.gates[-1].kind, caught.value.gates[-1].passed) == (gate, False)
    assert all(before.passed for before in caught.value.gates[:-1])
    assert problem in caught.value.message


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("keras_lambda", "layer 'innocent' is a Lambda, which is Python code inside the file; load it where its code"),
        ("keras_tfsm", "layer 'smuggled' is a TFSMLayer, which loads another SavedModel by its path"),
        ("keras_custom", "layer 'special' is of class theirs>Special, which is none of Keras's own"),
        ("keras_get_file", "Cannot deserialize `keras.utils.get_file`"),
        ("keras_os_system", "'system' is of class os.system, which is none of Keras's own"),
        ("keras_linked", "/layers/dense/vars/0 is a link to another file"),
        ("keras_gigantic", "describes a model that is larger than this job's memory"),
        ("unsigned", "the SavedModel has no signature, so nobody can ask it; save it with tf.saved_model.save"),
    ],
)
async def test_what_can_not_become_a_model_is_refused_by_name(brought_in: Path, name: str, problem: str) -> None:
    text = (brought_in / name / "failed").read_text()
    assert text.startswith("EXPORT_INVALID: ")
    assert problem in text
    assert not (brought_in / name / "model" / "golden.npz").exists()


async def test_nothing_of_it_has_happened_outside(brought_in: Path, models: Path) -> None:
    assert list((models / "ran").iterdir()) == []


async def test_without_a_sandbox_it_happens(models: Path, tmp_path: Path) -> None:
    """Else the test before this one proves nothing. Last, for it leaves traces."""
    imported(models, tmp_path, "writes", "prints_to_file")
    ran = {path.name.partition(".")[0] for path in (models / "ran").iterdir()}
    assert ran == {"writes", "prints_to_file"}
    for path in (models / "ran").iterdir():
        path.unlink()
