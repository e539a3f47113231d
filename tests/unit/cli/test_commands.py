"""What is refused before anything is asked of a server, and how the command line looks."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from modelyard.cli.__main__ import app
from modelyard.cli.datasets import _pair
from modelyard.cli.parameters import parameter as _parameter
from modelyard.cli.tokens import _role
from modelyard.cli.train import _devices
from modelyard.sdk import gallery
from modelyard.sdk.errors import InvalidArgument

runner = CliRunner()


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No installation is near, and nothing listens where one is looked for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODELYARD_SERVER", f"unix:{tmp_path}/none.sock")
    for name in ("MODELYARD_TOKEN", "MODELYARD_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("epochs=3", 3),
        ("rate=1e-3", 0.001),
        ("flag=true", True),
        ("name=adam", "adam"),
        ("sizes=[1,2]", [1, 2]),
        ("text=a=b", "a=b"),
        ('quoted="3"', "3"),
        ("empty=", ""),
    ],
)
def test_a_parameter_is_json_where_it_is_json_else_text(text: str, value: Any) -> None:
    assert _parameter(text) == (text.partition("=")[0], value)


@pytest.mark.parametrize("parse", [_parameter, _pair, _role])
@pytest.mark.parametrize("text", ["epochs", "=3", ""])
def test_what_lacks_its_equals_sign_is_refused(parse: Any, text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse(text)


@pytest.mark.parametrize(("text", "kind", "count"), [("gpu", 2, 1), ("gpu:2", 2, 2), ("cpu:1", 1, 1)])
def test_devices_are_a_kind_and_a_count(text: str, kind: int, count: int) -> None:
    request = _devices(text)
    assert request is not None
    assert (request.kind, request.count) == (kind, count)


@pytest.mark.parametrize("text", ["npu", "gpu:x", "gpu:-1", ":2"])
def test_other_devices_are_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        _devices(text)


@pytest.mark.parametrize(
    "arguments",
    [
        ["-o", "yaml", "datasets", "list"],
        ["datasets", "push", "x", ".", "--layout", "odd"],
        ["train", "t", "--dataset", "d", "--set", "epochs"],
        ["up", "--port", "70000"],
        ["predict", "digits"],
        ["train", "image-classification", "--dataset", "d", "--entry", "train:main"],
        ["train", "image-classification", "--dataset", "d", "--local"],
        ["train", ".", "--dataset", "d", "--local", "--validate-only"],
        ["predict", "digits", "--input", "x=[1]", "--k", "3"],
        ["predict", "digits", "--dataset", "d", "--output", "o", "--picture", "p"],
        ["evaluate", "m"],
        ["models", "compare", "m@1", "--dataset", "d"],
        ["nonsense"],
    ],
)
def test_wrong_use_is_status_2(arguments: list[str]) -> None:
    assert runner.invoke(app, arguments).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["train", "./gone", "--dataset", "d"], "gone does not exist; give a folder or a .py file"),
        (["train", "gone.py", "--dataset", "d"], "gone.py does not exist"),
        (["models", "push", "m", "gone"], "gone does not exist; give a SavedModel's folder or a .keras file"),
        (["models", "push", "m", "."], ". has no saved_model.pb"),
        (["models", "push", "m", "model.h5"], "model.h5 is neither a .keras file nor a SavedModel's folder"),
        (["evaluate", "m", "--dataset", "d", "--report", "gone/r.html"], "gone is not a folder"),
        (["init", "."], ". exists and is not an empty folder; name another"),
        (["predict", "d", "--text", "x", "--picture", "taken"], "taken can't be a folder of pictures: File exists"),
        (["predict", "d", "--text", "x", "--picture", "a.psd"], ".psd is no kind of picture"),
    ],
)
def test_files_that_will_not_do_are_named_before_anything_is_called(arguments: list[str], sentence: str) -> None:
    Path("model.h5").write_bytes(b"x")
    Path("taken").write_bytes(b"x")
    result = runner.invoke(app, arguments)
    assert isinstance(result.exception, InvalidArgument)
    assert sentence in result.exception.message


def test_an_image_that_is_not_there_is_named_before_anything_is_called() -> None:
    result = runner.invoke(app, ["predict", "digits", "--image", "gone.png"])
    assert isinstance(result.exception, InvalidArgument)
    assert "gone.png can't be read: No such file" in result.exception.message


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["datasets"],
        ["jobs"],
        ["packages"],
        ["models"],
        ["deployments"],
        ["workers"],
        ["hosts"],
        ["projects"],
        ["token"],
    ],
)
def test_every_command_has_help_with_a_sentence_for_each_verb(command: list[str]) -> None:
    result = runner.invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    listed = result.output.partition("Commands:\n")[2].partition("\n\n")[0].splitlines()
    verbs = [line.split() for line in listed if not line.startswith("   ")]
    assert verbs
    for verb in verbs:
        assert len(verb) > 2, verb


@pytest.mark.parametrize(
    "arguments",
    [
        ("datasets", "show", "adult", "--wait", "--html"),
        ("datasets", "export", "adult", "--croissant"),
        ("evaluate", "adult", "--dataset", "adult", "--report"),
    ],
)
def test_a_file_that_can_not_be_written_is_said_before_anything_is_waited_for(arguments: tuple[str, ...]) -> None:
    for place in ("nowhere/page", "."):
        done = runner.invoke(app, [*arguments, place])
        assert isinstance(done.exception, InvalidArgument), done.exception
        assert "is not a folder" in done.exception.message or "is a folder" in done.exception.message


def test_what_the_gallery_lists_for_scripts_has_each_sets_seed() -> None:
    sets = json.loads(runner.invoke(app, ["-o", "json", "datasets", "import", "--list"]).stdout)["sets"]
    assert {each["name"]: each["seed"] for each in sets} == {name: each.seed for name, each in gallery.SETS.items()}


def test_a_row_of_the_gallery_names_the_set_that_its_hint_asks_for() -> None:
    said = runner.invoke(app, ["gallery", "plates-symbols"]).stdout.splitlines()
    head, row = said[:2]
    assert (head.split()[:3], row.split()[:3]) == (
        ["ROW", "DATASET", "TEMPLATE"],
        ["plates-symbols", "plates", "text-recognition"],
    )
    assert "try one: modelyard datasets import DATASET," in said
