"""The token a process sends."""

from pathlib import Path

import pytest

from modelyard.foundation.auth.credentials import BadTokenFile, FixedToken, TokenFile, authorization


@pytest.fixture(autouse=True)
def look_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelyard.foundation.auth.credentials._REFRESH_S", 0.0)


def test_the_file_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("first\n")
    credentials = TokenFile(path)
    assert credentials.token() == "first"
    (tmp_path / "new").write_text("second")
    (tmp_path / "new").replace(path)
    assert credentials.token() == "second"


def test_a_file_that_goes_away_leaves_the_last_token(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "token"
    path.write_text("first")
    credentials = TokenFile(path)
    path.unlink()
    assert credentials.token() == "first"
    assert "token file not reloaded" in caplog.text
    path.write_text("")
    assert credentials.token() == "first"


@pytest.mark.parametrize("content", [b"", b"two words", b"two\nlines", b"\xff\xfe", "ü".encode()])
def test_a_file_that_holds_no_token_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(BadTokenFile):
        TokenFile(path)


def test_a_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadTokenFile, match="No such file"):
        TokenFile(tmp_path / "token")


def test_the_metadata_entry() -> None:
    assert authorization(FixedToken("t").token()) == ("authorization", "Bearer t")
