"""Code of one's own, as a data scientist brings it."""

import time
from pathlib import Path
from typing import Any

import pytest

from modelyard.sdk import Client
from modelyard.sdk.tensors import rows
from tests.e2e.conftest import HELD_OUT, Trained
from tests.support.stack import Stack

pytestmark = pytest.mark.timeout(300)

WRONG_LABELS = """
import keras
import numpy as np

from modelyard.job import context

x, y = context.arrays("train")
model = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")])
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
model.fit(x / 255.0, np.stack([y, y], axis=1), epochs=50)
context.export(model)
"""


def write(folder: Path, **files: str) -> Path:
    """A package: `train="…"` is its train.py, `requirements_txt="…"` its requirements.txt."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        stem, _, suffix = name.partition("_")
        (folder / f"{stem}.{suffix or 'py'}").write_text(text)
    return folder


def test_the_founding_script_becomes_a_model_version(stack: Stack, founding: dict[str, Any]) -> None:
    assert founding["state"] == "STATE_SUCCEEDED"
    assert founding["model_version"] == "projects/default/models/digits-founding-script/versions/1"
    assert founding["spec"]["package_version"] == "projects/default/packages/founding-script/versions/1"
    assert founding["spec"]["entry"] == "founding_script"
    info = stack.json("models", "show", "digits-founding-script@1")["info"]
    assert info["foreign"] is True
    assert {gate["kind"] for gate in info["gates"]} >= {"integrity", "signature", "ops", "load", "parity"}
    assert all(gate["state"] == "STATE_PASSED" for gate in info["gates"])
    assert int(info["resident_bytes"]) > 0


def test_what_it_learned_is_right_about_pictures_that_it_has_not_seen(
    stack: Stack, trained: Trained, founding: dict[str, Any]
) -> None:
    stack.json("deploy", "mine", "--model", "digits-founding-script")
    with Client(stack.address, token=stack.token) as client:
        response = client.deployments.predict("mine", {"image": trained.images})
    answers = [max(range(10), key=row.__getitem__) for row in rows(response.outputs["probabilities"])]
    right = sum(answer == label for answer, label in zip(answers, trained.labels, strict=True))
    assert right > 0.85 * HELD_OUT
    assert stack.run("predict", "mine", "--image", str(trained.png)).stdout.startswith(f"{trained.labels[0]} (")


def test_the_job_shows_its_code_and_gives_it_back(stack: Stack, founding: dict[str, Any], script: Path) -> None:
    shown = stack.run("jobs", "show", "founding").stdout
    assert "founding-script@1" in shown
    assert "val_" not in shown, "the script has no validation data"
    stack.run("jobs", "code", "founding", "given-back")
    assert (stack.home / "given-back" / script.name).read_bytes() == script.read_bytes()


def test_its_curves_are_there_for_tensorboard(stack: Stack, founding: dict[str, Any]) -> None:
    said = stack.run("jobs", "outputs", "founding", "left").stdout
    assert "tensorboard --logdir left/run/tensorboard" in said
    assert list((stack.home / "left" / "run" / "tensorboard").rglob("events.out.tfevents.*"))


def test_the_same_script_is_not_sent_again(stack: Stack, founding: dict[str, Any], script: Path) -> None:
    said = stack.run("train", str(script), "--dataset", "digits", "--validate-only").stdout
    assert "founding-script@1: 1 file, unchanged, nothing was sent; begins at founding_script" in said


def test_labels_of_the_wrong_shape_are_refused_in_seconds(stack: Stack, trained: Trained) -> None:
    write(stack.home / "wrong", train=WRONG_LABELS)
    started = time.monotonic()
    done = stack.run("train", "./wrong", "--dataset", "digits", "--job", "wrong", "--watch", status=1)
    seconds = time.monotonic() - started
    assert "wrong epoch" not in done.stdout, "it was found before an epoch was spent"
    assert 'File "train.py", line 10' in done.stdout
    assert "model.fit(" in done.stdout
    job = stack.json("jobs", "show", "wrong")
    assert job["failure_class"] == "FAILURE_CLASS_USER_CODE"
    assert "label" in job["error"]["message"]
    assert "start_time" not in job, "it never began to train"
    assert seconds < 150


def test_requirements_without_hashes_say_which_line_makes_them(stack: Stack, trained: Trained) -> None:
    write(stack.home / "hashless", train="print()\n", requirements_txt="einops==0.8.1\n")
    done = stack.run("train", "./hashless", "--dataset", "digits", "--job", "hashless", "--watch", status=1)
    assert "--generate-hashes" in done.stdout
    assert stack.json("jobs", "show", "hashless")["failure_class"] == "FAILURE_CLASS_REQUIREMENTS"


def test_a_parameter_that_the_package_does_not_have_is_refused_before_a_job_is_made(
    stack: Stack, trained: Trained
) -> None:
    folder = write(stack.home / "typed", train="print()\n")
    (folder / "template.toml").write_text(
        'entry = "train"\n[parameters.epochs]\ntype = "int"\ndefault = 3\nhelp = "How often."\n'
    )
    done = stack.run("train", "./typed", "--dataset", "digits", "--set", "epoch=1", status=2)
    assert "did you mean 'epochs'" in done.stderr
