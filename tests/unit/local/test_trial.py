"""`train --local`, as far as it goes without TensorFlow."""

import json
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from modelyard.foundation.errors import ModelyardError
from modelyard.local import trial
from modelyard.local.errors import TensorFlowMissing
from modelyard.local.trial import Trial, prepare, run
from modelyard.sdk import Client
from modelyard.sdk.progress import silent


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    """One that knows a dataset whose copy is here already."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    copy = tmp_path / "cache" / "modelyard" / "datasets" / "sha256-1-2"
    copy.mkdir(parents=True)
    (copy / "index.json").write_text("{}")
    version = SimpleNamespace(name="projects/default/datasets/d/versions/1", digest="sha256:1")
    return cast("Client", SimpleNamespace(project="default", datasets=SimpleNamespace(version=lambda name: version)))


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "train.py").write_text("")
    return folder


def spec(made: Trial) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads((made.folder / "job.json").read_text())
    return fields


def test_it_runs_the_users_own_files_on_the_copy_of_the_dataset(client: Client, package: Path) -> None:
    made = prepare(client, package, "train", "d", {"lr": 0.5}, silent)
    assert (spec(made)["code"], spec(made)["entry"], spec(made)["parameters"]) == (str(package), "train", {"lr": 0.5})
    assert (made.folder / "inputs" / "dataset" / "index.json").exists()


def test_parameters_are_completed_as_the_template_says(client: Client, package: Path) -> None:
    (package / "template.toml").write_text(
        '[parameters.epochs]\ntype = "int"\ndefault = 3\nmin = 1\nhelp = "How often."\n'
    )
    assert spec(prepare(client, package, "train", "d", {}, silent))["parameters"] == {"epochs": 3}
    with pytest.raises(ModelyardError, match="did you mean 'epochs'"):
        prepare(client, package, "train", "d", {"epoch": 3}, silent)


def test_one_file_is_run_where_it_lies(client: Client, package: Path) -> None:
    made = prepare(client, package / "train.py", "train", "d", {}, silent)
    assert (spec(made)["code"], made.folder.name) == (str(package), "train")


def test_what_the_last_trial_left_is_gone(client: Client, package: Path) -> None:
    made = prepare(client, package, "train", "d", {}, silent)
    (made.folder / "model").mkdir()
    assert not (prepare(client, package, "train", "d", {}, silent).folder / "model").exists()


def test_without_tensorflow_it_says_so(client: Client, package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(name: str) -> ModuleSpec | None:
        return None

    monkeypatch.setattr(trial, "find_spec", find)
    with pytest.raises(TensorFlowMissing, match="leave --local out"):
        prepare(client, package, "train", "d", {}, silent)


def test_its_exit_status_is_the_codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import sys; sys.exit(3 if sys.argv[1].endswith('/job.json') else 1)"
    monkeypatch.setattr(trial, "PROGRAM", (sys.executable, "-c", code))
    assert run(Trial(tmp_path)) == 3
