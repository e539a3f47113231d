"""Models that are unusual and do no harm: what of them is compared, and what is said of the rest."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelyard.foundation.sandbox.policy import Tier
from modelyard.trainer.gates import Checked, GateFailed, check_model

pytestmark = pytest.mark.timeout(600)


async def checked(folder: Path) -> Checked:
    return await check_model(folder, tier=Tier.FOREIGN)


def said(found: Checked, gate: str) -> list[str]:
    return [each.detail for each in found.gates if each.kind == gate]


def change_golden(folder: Path, name: str, change: Any) -> None:
    with np.load(folder / "golden.npz") as arrays:
        golden = {key: arrays[key] for key in arrays.files}
    golden[name] = change(golden[name])
    with (folder / "golden.npz").open("wb") as file:
        np.savez(file, **golden)


async def test_inputs_that_no_python_call_can_name_are_asked_by_their_own_names(brought_in: Path) -> None:
    found = await checked(brought_in / "keywords" / "model")
    (signature,) = found.signatures
    assert {spec.name for spec in signature.inputs} == {"in", "class", "self", "a-b", "a_b"}
    assert {spec.name for spec in signature.outputs} == {"or", "the name"}
    assert all(gate.passed for gate in found.gates)
    assert found.row_wise
    with np.load(brought_in / "keywords" / "model" / "golden.npz") as golden:
        names = ("in", "class", "self", "a-b", "a_b")
        joined = sum(golden[f"serving_default/inputs/{name}"] * 10.0**n for n, name in enumerate(names))
        np.testing.assert_allclose(golden["serving_default/outputs/or"], joined, rtol=1e-4)


async def test_every_type_that_can_be_answered_is_compared(brought_in: Path) -> None:
    found = await checked(brought_in / "types" / "model")
    assert all(gate.passed for gate in found.gates)
    (parity,) = said(found, "parity")
    assert parity.startswith("serving_default: 4 examples, largest difference ")
    assert "not compared" not in parity
    assert found.row_wise
    with np.load(brought_in / "types" / "model" / "golden.npz") as golden:
        (signature,) = found.signatures
        assert {name.rpartition("/")[2] for name in golden.files if "/outputs/" in name} == set(signature.output_types)
        assert golden["serving_default/outputs/bfloat16"].dtype == np.float32
        assert golden["serving_default/outputs/complex64"].dtype == np.complex64


@pytest.mark.parametrize(
    ("output", "change"),
    [
        ("bfloat16", lambda values: values * 1.1 + 0.1),
        pytest.param("float8_e5m2", lambda values: values * 2 + 1, marks=pytest.mark.soak),
        pytest.param("float8_e4m3fn", lambda values: values * 2 + 1, marks=pytest.mark.soak),
        ("complex64", lambda values: values.conj()),
        pytest.param("complex128", lambda values: values.conj(), marks=pytest.mark.soak),
        ("string", lambda values: np.array([value.replace(b"!", b"?") for value in values])),
        pytest.param("uint64", lambda values: values + 1, marks=pytest.mark.soak),
    ],
)
async def test_another_answer_of_any_type_is_refused(
    brought_in: Path, tmp_path: Path, output: str, change: Any
) -> None:
    folder = Path(shutil.copytree(brought_in / "types" / "model", tmp_path / "model"))
    change_golden(folder, f"serving_default/outputs/{output}", change)
    with pytest.raises(GateFailed, match=f"answers otherwise in output '{output}'"):
        await checked(folder)


async def test_what_is_drawn_is_said_to_be_random_and_the_rest_is_compared(brought_in: Path) -> None:
    found = await checked(brought_in / "noisy" / "model")
    (parity,), (row_wise,) = said(found, "parity"), said(found, "row_wise")
    assert "4 examples, largest difference 0" in parity
    assert "'noise' is not compared: random, the graph draws with RandomStandardNormal" in parity
    assert row_wise.startswith("serving_default: random in 'noise', where rows can't be compared")
    assert not found.row_wise
    assert found.latency_s > 0


async def test_one_that_only_draws_is_taken_with_nothing_to_compare(brought_in: Path) -> None:
    found = await checked(brought_in / "dice" / "model")
    (parity,) = said(found, "parity")
    assert parity.startswith("serving_default: 4 examples, answered; 'y' is not compared: random")
    assert not found.row_wise


async def test_one_that_answers_differently_and_draws_nothing_is_refused(brought_in: Path) -> None:
    with pytest.raises(GateFailed, match="nothing in its graph draws random numbers: it depends on what it was asked"):
        await checked(brought_in / "counter" / "model")


async def test_golden_answers_are_not_left_out_by_those_who_claim_to_draw(brought_in: Path, tmp_path: Path) -> None:
    """`plain` answers the same each time, so its answers have to be there."""
    folder = Path(shutil.copytree(brought_in / "plain" / "model", tmp_path / "model"))
    with np.load(folder / "golden.npz") as arrays:
        kept = {key: arrays[key] for key in arrays.files if "/inputs/" in key}
    with (folder / "golden.npz").open("wb") as file:
        np.savez(file, **kept)
    with pytest.raises(GateFailed, match="has no golden answer to compare with; 'y' is not compared: no golden answer"):
        await checked(folder)


async def test_a_ragged_answer_is_named_and_the_other_signature_is_used(brought_in: Path) -> None:
    found = await checked(brought_in / "ragged" / "model")
    (signature,) = said(found, "signature")
    assert "'words' can't be used: its output 'words' is of type RaggedTensor, which no answer can carry" in signature
    assert [each.name for each in found.signatures] == ["serving_default"]
    assert said(found, "parity") == ["serving_default: 4 examples, largest difference 0"]


async def test_one_that_nobody_can_ask_is_refused_by_the_type(brought_in: Path) -> None:
    with pytest.raises(GateFailed, match="its output 'words' is of type RaggedTensor, which no answer can") as caught:
        await checked(brought_in / "only_ragged" / "model")
    assert caught.value.gates[-1].kind == "signature"
