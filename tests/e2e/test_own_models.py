"""Models that people already have: brought, proven, served, judged, given back, or refused with the reason."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from modelyard.sdk import Client
from modelyard.sdk.tensors import rows
from tests.e2e.conftest import HELD_OUT, Trained
from tests.support.stack import Stack, plain_environment

pytestmark = pytest.mark.timeout(300)

MADE_ELSEWHERE = """
import sys, keras, tensorflow as tf
folder = sys.argv[1]

left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
total = keras.layers.Dense(2, name="total")(keras.layers.Concatenate()([left, right]))
keras.Model([left, right], {"total": total, "mean": keras.layers.Average()([left, right])}).save(folder + "/two.keras")

keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x * 2)]).save(folder + "/lambda.keras")

class Reads(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="path")])
    def __call__(self, path):
        return {"content": tf.map_fn(tf.io.read_file, path)}

reads = Reads()
tf.saved_model.save(reads, folder + "/reads", signatures=reads.__call__)
"""


@pytest.fixture(scope="module")
def elsewhere(stack: Stack) -> Path:
    """two.keras (two inputs, two outputs), lambda.keras, and reads/ (a SavedModel that reads files)."""
    folder = stack.home / "elsewhere"
    folder.mkdir()
    command = [sys.executable, "-c", MADE_ELSEWHERE, str(folder)]
    done = subprocess.run(command, env=plain_environment(), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def brought(stack: Stack, trained: Trained, founding: Mapping[str, Any]) -> dict[str, Any]:
    """The founding script's model, pulled and pushed again as if it came from elsewhere."""
    stack.run("models", "pull", "digits-founding-script@1", "saved")
    job: dict[str, Any] = stack.json("models", "push", "brought", "saved", "--dataset", "digits")
    return job


def test_a_saved_model_becomes_a_version_by_the_same_gates(stack: Stack, brought: dict[str, Any]) -> None:
    assert brought["model_version"] == "projects/default/models/brought/versions/1"
    info = stack.json("models", "show", "brought@1")["info"]
    assert {gate["kind"] for gate in info["gates"]} >= {"integrity", "signature", "ops", "load", "parity"}
    assert all(gate["state"] == "STATE_PASSED" for gate in info["gates"])
    assert {signature["name"] for signature in info["signatures"]} >= {"serving_default"}
    said = stack.run("models", "show", "brought").stdout
    assert "signature serving_default" in said
    assert "in a model server" in said


def test_it_is_served_like_any_other(stack: Stack, trained: Trained, brought: dict[str, Any]) -> None:
    stack.json("deploy", "brought", "--model", "brought@1")
    with Client(stack.address, token=stack.token) as client:
        response = client.deployments.predict("brought", {"image": trained.images})
    answers = [max(range(10), key=row.__getitem__) for row in rows(response.outputs["probabilities"])]
    assert sum(a == b for a, b in zip(answers, trained.labels, strict=True)) > 0.85 * HELD_OUT


def test_it_is_given_back_as_it_came(stack: Stack, brought: dict[str, Any]) -> None:
    stack.run("models", "pull", "brought@1", "brought-copy")
    for name in ("saved_model.pb", "variables/variables.index"):
        assert (stack.home / "brought-copy" / name).read_bytes() == (stack.home / "saved" / name).read_bytes()


def test_a_keras_file_with_two_inputs_and_outputs_is_converted(stack: Stack, trained: Trained, elsewhere: Path) -> None:
    done = stack.run("models", "push", "two", str(elsewhere / "two.keras"))
    assert "gate ops: passed" in done.stdout, "gates are shown as they pass"
    (signature,) = (
        each
        for each in stack.json("models", "show", "two@1")["info"]["signatures"]
        if each["name"] == "serving_default"
    )
    assert {each["name"] for each in signature["inputs"]} == {"left", "right"}
    assert {each["name"] for each in signature["outputs"]} == {"total", "mean"}
    stack.json("deploy", "two", "--model", "two")
    said = stack.run("predict", "two", "--input", "left=[[1, 2, 3, 4]]", "--input", "right=[[3, 2, 1, 0]]").stdout
    assert json.loads(said)["mean"] == [2, 2, 2, 2]


@pytest.mark.parametrize(("file", "reason"), [("lambda.keras", "Lambda"), ("reads", "ReadFile")])
def test_what_could_do_harm_is_refused_with_the_reason_and_no_version(
    stack: Stack, trained: Trained, elsewhere: Path, file: str, reason: str
) -> None:
    name = f"bad-{reason.lower()}"
    done = stack.run("models", "push", name, str(elsewhere / file), "--job", name, status=1)
    assert reason in done.stdout
    assert stack.json("jobs", "show", name)["failure_class"] in (
        "FAILURE_CLASS_EXPORT_INVALID",
        "FAILURE_CLASS_USER_CODE",
    )
    stack.run("models", "show", f"{name}@1", status=3)


def test_what_failed_a_gate_is_kept_as_evidence(stack: Stack, trained: Trained, elsewhere: Path) -> None:
    """Behind the refusals above."""
    stack.run("jobs", "outputs", "bad-readfile", "evidence")
    assert "ReadFile" in (stack.home / "evidence" / "rejected" / "gates.json").read_text()


def test_an_evaluation_stays_with_the_version_and_its_page_is_one_file(stack: Stack, brought: dict[str, Any]) -> None:
    job = stack.json("evaluate", "brought@1", "--dataset", "digits@1", "--report", "report.html")
    assert job["evaluation"].startswith("projects/default/models/brought/versions/1/evaluations/")
    page = (stack.home / "report.html").read_text()
    assert page.lower().startswith("<!doctype html>")
    assert "http://" not in page.replace("http://www.w3.org", "")
    (evaluation,) = stack.json("models", "show", "brought@1")["evaluations"]
    assert evaluation["split"] == "test"
    assert evaluation["metrics"]["accuracy"] > 0.85


def test_two_versions_are_compared_and_what_is_missing_is_made(
    stack: Stack, brought: dict[str, Any], founding: Mapping[str, Any]
) -> None:
    said = stack.run("models", "compare", "digits-founding-script@1", "brought@1", "--dataset", "digits@1").stdout
    assert "digits-founding-script@1 has not been judged on test of digits@1 yet" in said
    assert "the accuracies differ by no more than chance" in said
    again = stack.json("models", "compare", "digits-founding-script@1", "brought@1", "--dataset", "digits@1")
    differences = {each["name"]: each["difference"] for each in again["metrics"]}
    assert abs(differences["accuracy"]) < 1e-6, "it is the same model"
    assert again["classes"] == []


def test_a_folder_that_is_no_model_is_refused_before_anything_is_sent(stack: Stack) -> None:
    done = stack.run("models", "push", "no", "digits", status=2)
    assert "has no saved_model.pb" in done.stderr
