"""The variables that `make gallery` takes."""

import socket
from pathlib import Path

import pytest

from modelyard.local.folder import DataFolder
from modelyard.local.gallery import __main__ as program


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("PORT", "ROWS", "SEEDS", "PUBLISH"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("in_folder")
def test_a_remembered_port_that_somebody_else_has_meanwhile_is_left_to_him(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = int(other.getsockname()[1])
        monkeypatch.setattr(DataFolder, "last_port", lambda folder: taken)
        assert program._port() not in (0, taken)
    assert program._port() == taken
    monkeypatch.setenv("PORT", "8123")
    assert program._port() == 8123


@pytest.mark.usefixtures("in_folder")
@pytest.mark.parametrize(("name", "value"), [("PUBLISH", "yes"), ("SEEDS", "0"), ("PORT", "http")])
def test_a_variable_that_means_nothing_is_refused_before_anything_is_started(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "_run", lambda *parts, **named: pytest.fail("it was started"))
    monkeypatch.setattr("signal.signal", lambda number, handler: None)
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match=f"^{name}={value} is "):
        program.main()


@pytest.mark.usefixtures("in_folder")
def test_a_variable_that_is_empty_is_as_if_it_were_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SEEDS", "PUBLISH"):
        monkeypatch.setenv(name, "")
    assert (program._seeds(), program._publishes()) == (1, False)
