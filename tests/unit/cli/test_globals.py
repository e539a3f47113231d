from pathlib import Path

import pytest

from modelyard.cli.globals import Globals, hoist


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (["datasets", "list", "-o", "json"], ["-o", "json", "datasets", "list"]),
        (["train", "--output=json", "t", "--set", "a=1"], ["--output=json", "train", "t", "--set", "a=1"]),
        (["jobs", "list", "--show-grpc", "--project", "lab"], ["--show-grpc", "--project", "lab", "jobs", "list"]),
        (["--server", "a:1", "status"], ["--server", "a:1", "status"]),
        (["predict", "d", "--", "--server", "x"], ["predict", "d", "--", "--server", "x"]),
        (["predict", "d", "--output", "e", "-o", "json"], ["-o", "json", "predict", "d", "--output", "e"]),
        (["predict", "d", "--output", "json"], ["--output", "json", "predict", "d"]),
        (["predict", "d", "--output=e"], ["predict", "d", "--output=e"]),
        (["status", "--dir"], ["status", "--dir"]),
        ([], []),
    ],
)
def test_options_of_every_command_may_stand_anywhere(said: list[str], meant: list[str]) -> None:
    assert hoist(said) == meant


def test_the_folder_is_the_one_said_or_the_usual_one() -> None:
    assert Globals("", "", "default", "", json=False, show_grpc=False).folder == Path(".modelyard")
    assert Globals("", "", "default", "/data", json=False, show_grpc=False).folder == Path("/data")


def test_down_and_status_find_the_installation_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".modelyard").mkdir()
    (tmp_path / ".modelyard" / "token").touch()
    (tmp_path / "sub" / "sub").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "sub" / "sub")
    assert Globals("", "", "default", "", json=False, show_grpc=False).nearest_folder == tmp_path / ".modelyard"
    assert Globals("", "", "default", "/data", json=False, show_grpc=False).nearest_folder == Path("/data")
    (tmp_path / "sub" / "sub" / ".modelyard").mkdir()
    assert Globals("", "", "default", "", json=False, show_grpc=False).nearest_folder == Path(".modelyard")
