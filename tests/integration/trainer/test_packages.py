"""A worker's process with code of one's own, from the package to a model that is checked, and what it installs."""

import base64
import hashlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelyard.api.catalog.v1 import model_pb2
from modelyard.api.scheduler.v1 import job_pb2
from modelyard.sdk import Client
from modelyard.sdk.errors import NotFound
from modelyard.sdk.folder import Source
from modelyard.sdk.jobs import State
from tests.integration.trainer.test_jobs import write
from tests.integration.trainer.yard import WorkerProcess, Yard, ended, files_of, running_yard
from tests.support.background import in_background
from tests.support.confinement import path_that_refuses_namespaces
from tests.support.seaweedfs import RunningStore

pytestmark = pytest.mark.timeout(300)

Class = job_pb2.Job.FailureClass
TRAINS = """
import keras
from modelyard.job import context


def main():
    model = keras.Sequential(
        [keras.Input(context.image_shape()), keras.layers.Flatten(), keras.layers.Dense(4, activation="softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(context.dataset("train", batch_size=16), epochs=context.params["epochs"], verbose=0)
    context.report(note="it went well", score=0.5)
    context.export(model)
"""
LIES = """
import keras
import numpy as np
from modelyard.job import context


def main():
    model = keras.Sequential(
        [keras.Input(context.image_shape()), keras.layers.Flatten(), keras.layers.Dense(4, activation="softmax")]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(context.dataset("train", batch_size=16), epochs=1, verbose=0)
    context.export(model)
    with np.load("model/golden.npz") as golden:
        arrays = {name: array for name, array in golden.items()}
    lie = next(name for name, array in arrays.items() if "/outputs/" in name and array.dtype.kind == "f")
    arrays[lie] = arrays[lie][:, ::-1] + 1
    with open("model/golden.npz", "wb") as file:
        np.savez(file, **arrays)
"""
TYPED = """
entry = "train:main"
[parameters.epochs]
type = "int"
default = 1
min = 1
"""
USES = """
import json
from pathlib import Path
import greeting
print("GREETING", greeting.WORDS)
raise SystemExit(greeting.WORDS)
"""


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory, seaweedfs: RunningStore) -> Iterator[Yard]:
    s3 = seaweedfs.store.settings.model_copy(update={"bucket": "packages"})
    with in_background(running_yard(tmp_path_factory.mktemp("yard"), s3, backoff_s=0)) as yard:
        with yard.client() as client:
            write(yard.folder / "strokes", 60)
            client.datasets.push("strokes", yard.folder / "strokes")
        yield yard


@pytest.fixture
def client(yard: Yard) -> Iterator[Client]:
    with yard.client() as client:
        yield client


PROCESSES = 256
"""Enough for TensorFlow's threads, and a bomb of processes as large as it is goes off in seconds."""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wheels")


@pytest.fixture(scope="module")
def worker(yard: Yard, wheels: Path) -> Iterator[WorkerProcess]:
    index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "SECRET_OF_THE_WORKER": "do not tell"}
    with yard.worker("first", environment=index, limits={"pids": PROCESSES}) as worker:
        yield worker


def push(client: Client, name: str, **files: str) -> str:
    sources = {
        path.replace("__", "."): Source(len(text.encode()), content=text.encode()) for path, text in files.items()
    }
    client.packages.push_sources(name, sources)
    return name


def wheel(folder: Path, name: str, files: dict[str, str], requires: str = "") -> str:
    """A wheel of version 1.0; answers its line for requirements.txt."""
    needs = f"Requires-Dist: {requires}\n" if requires else ""
    meta = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nLicense: Apache-2.0\n{needs}"
    info = f"{name.replace('-', '_')}-1.0.dist-info"
    content = files | {
        f"{info}/METADATA": meta,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},{_record_hash(text)},{len(text)}\n" for path, text in content.items())
    path = folder / f"{name.replace('-', '_')}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in (content | {f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}).items():
            archive.writestr(member, text)
    return f"{name}==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def _record_hash(text: str) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def test_a_package_becomes_a_model_that_passed_every_gate(yard: Yard, client: Client, worker: WorkerProcess) -> None:
    package = push(client, "mine", train__py=TRAINS, template__toml=TYPED)
    job = ended(client, client.jobs.create(package=package, dataset="strokes", parameters={"epochs": 2}).name)
    assert job.state == State.STATE_SUCCEEDED, "\n".join([job.error.message, *yard.log(job.name)])
    version = client.models.version(job.model_version)
    assert version.state == model_pb2.ModelVersion.STATE_READY
    assert version.info.foreign
    assert all(gate.state == model_pb2.Gate.STATE_PASSED for gate in version.info.gates if gate.kind != "row_wise")
    assert version.info.signatures
    assert version.info.resident_bytes > 0
    assert version.info.latency.ToTimedelta().total_seconds() > 0
    assert job.progress.texts["note"] == "it went well"
    assert job.progress.metrics["score"] == 0.5
    outputs = {output.name.rpartition("/")[2]: output for output in client.lineage.outputs(job.name)}
    client.lineage.pull_output(outputs["run"].name, yard.folder / "run")
    assert list((yard.folder / "run" / "tensorboard").rglob("events.out.*"))
    assert worker.attempts() == []
    assert worker.jobs() == []


def test_a_model_is_judged_on_a_dataset_by_a_job(yard: Yard, client: Client, worker: WorkerProcess) -> None:
    model = next(iter(client.models.versions("strokes-mine"))).name
    job = ended(client, client.jobs.create("evaluate", "strokes", model_version=model).name)
    assert job.state == State.STATE_SUCCEEDED, "\n".join([job.error.message, *yard.log(job.name)])
    (evaluation,) = client.models.evaluations(model)
    assert evaluation.name == job.evaluation
    assert 0 <= evaluation.metrics["accuracy"] <= 1
    assert evaluation.report == f"{job.name}/outputs/report"
    client.lineage.pull_output(evaluation.report, yard.folder / "report")
    assert {"evaluation.json", "report.html"} <= set(files_of(yard.folder / "report"))


def test_a_model_that_fails_a_gate_is_kept_as_evidence_and_becomes_no_version(
    yard: Yard, client: Client, worker: WorkerProcess
) -> None:
    package = push(client, "liar", train__py=LIES)
    job = ended(client, client.jobs.create(package=package, entry="train:main", dataset="strokes").name)
    assert (job.state, job.failure_class) == (State.STATE_FAILED, Class.FAILURE_CLASS_EXPORT_INVALID), job
    assert "parity" in job.error.message
    assert job.progress.texts["gate load"].startswith("passed")
    assert job.progress.texts["gate parity"].startswith("failed")
    with pytest.raises(NotFound):
        client.models.get("strokes-liar")
    client.lineage.pull_output(f"{job.name}/outputs/rejected", yard.folder / "rejected")
    assert {"saved_model.pb", "gates.json"} <= set(files_of(yard.folder / "rejected"))
    assert json.loads((yard.folder / "rejected" / "gates.json").read_text())[-1]["passed"] is False


def test_an_error_in_the_code_is_told_with_its_own_frames_and_nothing_becomes_a_version(
    yard: Yard, client: Client, worker: WorkerProcess
) -> None:
    package = push(client, "broken", train__py="def main():\n    raise ValueError('not today')\n")
    job = ended(client, client.jobs.create(package=package, entry="train:main", dataset="strokes").name)
    assert (job.state, job.failure_class) == (State.STATE_FAILED, Class.FAILURE_CLASS_USER_CODE), job
    assert "ValueError: not today" in job.error.message
    assert job.attempt == 1


def test_a_bomb_of_processes_beside_tensorflow_ends_by_its_name(
    yard: Yard, client: Client, worker: WorkerProcess
) -> None:
    package = push(client, "bomb", train__py="import os\nwhile True:\n    os.fork()\n")
    job = ended(client, client.jobs.create(package=package, entry="train", dataset="strokes").name)
    assert (job.state, job.failure_class) == (State.STATE_FAILED, Class.FAILURE_CLASS_PIDS), job.error
    assert worker.attempts() == []
    assert worker.descendants() == []


def test_requirements_are_installed_apart_and_once_and_written_down(
    yard: Yard, client: Client, worker: WorkerProcess, wheels: Path
) -> None:
    line = wheel(wheels, "greeting", {"greeting.py": "WORDS = 'hello from a wheel'\n"})
    package = push(client, "greets", train__py=USES, requirements__txt=line)
    for again in (False, True):
        job = ended(client, client.jobs.create(package=package, entry="train", dataset="strokes").name)
        log = yard.log(job.name)
        assert "GREETING hello from a wheel" in log, (job.error, log)
        assert any("Successfully installed greeting-1.0" in text for text in log) is not again
        (run,) = client.lineage.outputs(job.name)
        folder = yard.folder / f"run-{again}"
        client.lineage.pull_output(run.name, folder)
        (listed,) = json.loads((folder / "requirements.json").read_text())
        assert listed == {"name": "greeting", "version": "1.0", "license": "Apache-2.0"}


@pytest.mark.parametrize(
    ("requirements", "words"),
    [
        ("greeting==1.0", "uv pip compile --generate-hashes"),
        (f"nowhere==1.0 --hash=sha256:{'a' * 64}", "could not be installed: No matching distribution found"),
    ],
)
def test_requirements_that_cannot_be_installed_end_the_job_before_its_code_runs(
    yard: Yard, client: Client, worker: WorkerProcess, requirements: str, words: str
) -> None:
    package = push(client, "needs", train__py="print('IT RAN')\n", requirements__txt=requirements)
    job = ended(client, client.jobs.create(package=package, entry="train", dataset="strokes").name)
    assert (job.state, job.failure_class) == (State.STATE_FAILED, Class.FAILURE_CLASS_REQUIREMENTS), job
    assert words in job.error.message
    assert "IT RAN" not in yard.log(job.name)
    assert list((worker.home / "work" / "builds").glob("*")) == []


def test_a_wheel_that_is_not_what_its_hash_says_is_not_installed(
    client: Client, worker: WorkerProcess, wheels: Path
) -> None:
    wheel(wheels, "tampered", {"tampered.py": "print('no')\n"})
    package = push(client, "needs", train__py="", requirements__txt=f"tampered==1.0 --hash=sha256:{'a' * 64}")
    job = ended(client, client.jobs.create(package=package, entry="train", dataset="strokes").name)
    assert job.failure_class == Class.FAILURE_CLASS_REQUIREMENTS
    assert "HASH" in job.error.message.upper()


@pytest.mark.parametrize("module", ["keras/__init__.py", "google/protobuf/message.py", "modelyard/job/context.py"])
def test_nothing_takes_the_place_of_what_every_job_runs_on(
    client: Client, worker: WorkerProcess, wheels: Path, module: str
) -> None:
    line = wheel(wheels, f"shadow-{module[0]}", {module: ""})
    package = push(client, "shadows", train__py="", requirements__txt=line)
    job = ended(client, client.jobs.create(package=package, entry="train", dataset="strokes").name)
    assert job.failure_class == Class.FAILURE_CLASS_REQUIREMENTS
    assert "which every job has from the worker" in job.error.message


def test_what_a_distribution_needs_and_nobody_lists_is_named(
    client: Client, worker: WorkerProcess, wheels: Path
) -> None:
    line = wheel(wheels, "half", {"half.py": ""}, requires="other-half>=2")
    package = push(client, "half", train__py="", requirements__txt=line)
    job = ended(client, client.jobs.create(package=package, entry="train", dataset="strokes").name)
    assert job.failure_class == Class.FAILURE_CLASS_REQUIREMENTS
    assert "half 1.0 needs other-half>=2, and it is not listed" in job.error.message


@pytest.fixture(scope="module")
def bare(yard: Yard, worker: WorkerProcess) -> Iterator[WorkerProcess]:
    """A worker where namespaces are refused, once the other one has gone."""
    worker.drain()
    path = path_that_refuses_namespaces(yard.folder / "refuses")
    with yard.worker("bare", environment={"PATH": path}) as bare:
        yield bare


def test_without_a_strong_sandbox_foreign_code_does_not_run_at_all(client: Client, bare: WorkerProcess) -> None:
    package = push(client, "unwanted", train__py=TRAINS, template__toml=TYPED)
    job = ended(client, client.jobs.create(package=package, dataset="strokes").name)
    assert (job.state, job.failure_class) == (State.STATE_FAILED, Class.FAILURE_CLASS_SANDBOX_UNAVAILABLE), job
    assert "so none is run or read here" in job.error.message
    assert job.attempt == 1


def test_without_a_strong_sandbox_models_of_others_are_not_judged(client: Client, bare: WorkerProcess) -> None:
    theirs = next(iter(client.models.versions("strokes-mine"))).name
    job = ended(client, client.jobs.create("evaluate", "strokes", model_version=theirs).name)
    assert (job.state, job.failure_class) == (State.STATE_FAILED, Class.FAILURE_CLASS_SANDBOX_UNAVAILABLE), job


def test_without_a_strong_sandbox_templates_still_train_and_their_models_are_judged(
    yard: Yard, client: Client, bare: WorkerProcess
) -> None:
    write(yard.folder / "more", 40)
    client.datasets.push("more", yard.folder / "more")  # not prepared by the other worker yet
    made = ended(client, client.jobs.create("image-classification", "more", parameters={"epochs": 1}).name)
    assert made.state == State.STATE_SUCCEEDED, "\n".join([made.error.message, *yard.log(made.name)])
    job = ended(client, client.jobs.create("evaluate", "more", model_version=made.model_version).name)
    assert job.state == State.STATE_SUCCEEDED, "\n".join([job.error.message, *yard.log(job.name)])
