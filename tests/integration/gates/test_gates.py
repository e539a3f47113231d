"""The gates with a model server: who lies about their answers does not become a version."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelyard.foundation.sandbox.policy import Tier
from modelyard.trainer.domain import FailureClass
from modelyard.trainer.gates import GateFailed, GateResult, check_model

pytestmark = pytest.mark.timeout(600)
OUTPUT = "serving_default/outputs/y"


@pytest.fixture
def plain(brought_in: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(brought_in / "plain" / "model", tmp_path / "plain"))


def change_golden(folder: Path, **changes: Any) -> None:
    with np.load(folder / "golden.npz") as arrays:
        golden = {name: arrays[name] for name in arrays.files}
    with (folder / "golden.npz").open("wb") as file:
        np.savez(file, **{**golden, **changes})


@pytest.mark.parametrize("tier", list(Tier))
async def test_a_model_that_answers_as_it_did_passes_in_each_sandbox(plain: Path, tier: Tier) -> None:
    told: list[GateResult] = []
    checked = await check_model(plain, tier=tier, told=told.append)
    assert [gate.kind for gate in checked.gates] == [
        *("integrity", "signature", "ops", "warmup", "load", "parity", "row_wise")
    ]
    assert tuple(told) == checked.gates
    assert all(gate.passed for gate in checked.gates)
    assert checked.row_wise
    (signature,) = checked.signatures
    assert (signature.name, signature.inputs[0].name, signature.inputs[0].dtype) == ("serving_default", "x", "float32")
    assert signature.inputs[0].shape == (-1, 3)
    assert 0 < checked.resident_bytes < 500 << 20
    assert 0 < checked.latency_s < 5


@pytest.mark.parametrize(
    ("name", "signatures", "row_wise"),
    [
        ("many", {"serving_default": 4, "length": 4, "scalar": 0}, False),
        ("first", {"serving_default": 4, "logits": 4}, True),
        ("keras_plain", {"serving_default": 16}, True),
        ("mean", {"serving_default": 4}, False),
    ],
)
async def test_models_of_all_kinds_pass(
    brought_in: Path, name: str, signatures: dict[str, int], row_wise: bool
) -> None:
    checked = await check_model(brought_in / name / "model", tier=Tier.FOREIGN)
    assert {each.name for each in checked.signatures} == set(signatures)
    said = {gate.detail.partition(":")[0]: gate.detail for gate in checked.gates if gate.kind == "parity"}
    assert set(said) == set(signatures)
    for signature, rows in signatures.items():
        assert (f"{rows} examples" if rows else "one request") in said[signature]
    assert checked.row_wise is row_wise


async def test_one_whose_answers_differ_from_its_golden_ones_is_refused(plain: Path) -> None:
    with np.load(plain / "golden.npz") as arrays:
        change_golden(plain, **{OUTPUT: arrays[OUTPUT][:, ::-1]})
    with pytest.raises(GateFailed, match="answers otherwise in output 'y'") as caught:
        await check_model(plain)
    assert caught.value.failure_class is FailureClass.EXPORT_INVALID
    assert caught.value.gates[-1].kind == "parity"


async def test_one_that_does_not_load_is_refused_with_what_the_server_said(plain: Path) -> None:
    index = plain / "variables" / "variables.data-00000-of-00001"
    index.write_bytes(index.read_bytes()[::-1])
    with pytest.raises(GateFailed, match="the gate 'load': it does not load in a model server: ") as caught:
        await check_model(plain, tier=Tier.FOREIGN)
    assert [gate.kind for gate in caught.value.gates][-1] == "load"


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        ("saved_model.pb", "saved_model.pb is no SavedModel: it can't be decoded"),
        ("variables/variables.index", "variables/variables.index can't be read"),
        ("golden.npz", "its golden answers can't be read"),
        ("modelyard.model.json", "modelyard.model.json is no JSON"),
    ],
)
async def test_a_file_that_is_not_what_it_should_be_is_named(plain: Path, file: str, problem: str) -> None:
    (plain / file).write_bytes(b"\xff not this")
    with pytest.raises(GateFailed) as caught:
        await check_model(plain, tier=Tier.FOREIGN)
    assert problem in caught.value.message


async def test_golden_answers_of_another_signature_are_refused(plain: Path) -> None:
    change_golden(plain, **{"other/inputs/x": np.zeros((1, 3)), "other/outputs/y": np.zeros((1, 2))})
    with pytest.raises(GateFailed, match="golden answers of 'other', which is no signature"):
        await check_model(plain, tier=Tier.FOREIGN)


async def test_a_warm_up_file_is_made_where_there_is_none(plain: Path) -> None:
    file = plain / "assets.extra" / "tf_serving_warmup_requests"
    before = file.read_bytes()
    file.unlink()
    checked = await check_model(plain, tier=Tier.FOREIGN)
    assert "a warm-up file was made with 1 request" in [gate.detail for gate in checked.gates]
    assert file.stat().st_size > 0
    assert file.stat().st_size <= 2 * len(before)


async def test_a_warm_up_request_that_fails_keeps_the_model_out(plain: Path) -> None:
    file = plain / "assets.extra" / "tf_serving_warmup_requests"
    file.unlink()
    from modelyard.trainer.gates import warmup
    from modelyard.trainer.gates.server import request_of
    from modelyard.trainer.gates.verdict import Signature

    signature = Signature("serving_default", (), ())

    warmup.write(plain, {"s": request_of(signature, {"wrong": np.zeros((1, 3), np.float32)})})
    with pytest.raises(GateFailed, match=r"does not load in a model server: .*wrong"):
        await check_model(plain, tier=Tier.FOREIGN)
