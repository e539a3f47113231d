import json
from pathlib import Path

import pytest

from modelyard.sdk.connection import is_local
from modelyard.sdk.discovery import DEFAULT_ADDRESS, Access, data_folder, find_access
from modelyard.sdk.errors import InvalidArgument


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in, and no settings of the user's own."""
    for name in ("SERVER", "TOKEN", "TOKEN_FILE", "CA_FILE"):
        monkeypatch.delenv(f"MODELYARD_{name}", raising=False)
    here = tmp_path / "a" / "b"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    return here


def installation(folder: Path, token: str = "of-the-folder", address: str = "127.0.0.1:9") -> Path:
    data = folder / ".modelyard"
    data.mkdir()
    (data / "token").write_text(token + "\n")
    (data / "up.json").write_text(json.dumps({"address": address}))
    return data


def test_nothing_anywhere_is_the_default_address_without_a_token() -> None:
    assert find_access() == Access(DEFAULT_ADDRESS)


def test_the_nearest_data_folder_upwards_is_used(elsewhere: Path) -> None:
    data = installation(elsewhere.parent)
    assert data_folder() == data
    assert find_access() == Access("127.0.0.1:9", "of-the-folder", "", str(data / "token"))
    near = installation(elsewhere, "nearer")
    assert find_access().origin == str(near / "token")


def test_a_folder_without_a_token_is_passed_over(elsewhere: Path) -> None:
    data = installation(elsewhere.parent)
    (elsewhere / ".modelyard").mkdir()
    assert data_folder() == data


def test_an_installation_that_is_not_up_is_looked_for_at_the_default_address(elsewhere: Path) -> None:
    (installation(elsewhere) / "up.json").unlink()
    assert find_access().server == DEFAULT_ADDRESS


def test_flags_come_before_the_environment_and_that_before_the_folder(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation(elsewhere)
    monkeypatch.setenv("MODELYARD_SERVER", "one:1")
    monkeypatch.setenv("MODELYARD_TOKEN", "of-the-environment")
    monkeypatch.setenv("MODELYARD_CA_FILE", "ca.pem")
    assert find_access() == Access("one:1", "of-the-environment", "ca.pem", "MODELYARD_TOKEN")
    (elsewhere / "file").write_text(" of-the-file\n")
    found = find_access("two:2", token_file="file")
    assert (found.server, found.token) == ("two:2", "of-the-file")
    assert find_access(token="of-the-flag").token == "of-the-flag"


def test_a_file_named_by_the_environment_is_read(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (elsewhere / "file").write_text("secret\n")
    monkeypatch.setenv("MODELYARD_TOKEN_FILE", "file")
    assert find_access() == Access(DEFAULT_ADDRESS, "secret", "", "MODELYARD_TOKEN_FILE")


def test_a_token_file_that_is_not_there_is_named() -> None:
    with pytest.raises(InvalidArgument, match="the token file gone can't be read: No such file"):
        find_access(token_file="gone")


def test_a_folder_may_be_given(elsewhere: Path, tmp_path: Path) -> None:
    other = installation(tmp_path, "other", "127.0.0.1:10")
    installation(elsewhere)
    assert find_access(folder=other) == Access("127.0.0.1:10", "other", "", str(other / "token"))


@pytest.mark.parametrize("server", ["unix:/run/x.sock", "localhost:1", "127.0.0.1:1", "127.8.0.1:1", "[::1]:1"])
def test_plaintext_is_for_this_machine(server: str) -> None:
    assert is_local(server)


@pytest.mark.parametrize("server", ["example.org:443", "10.0.0.1:8470", "[2001:db8::1]:1", "localhost.example.org:1"])
def test_elsewhere_it_is_tls(server: str) -> None:
    assert not is_local(server)


@pytest.mark.parametrize("left", ["", "{"])
def test_what_a_power_cut_has_left_of_the_address_is_no_address(elsewhere: Path, left: str) -> None:
    data = installation(elsewhere)
    (data / "up.json").write_text(left)
    assert find_access().server == DEFAULT_ADDRESS
