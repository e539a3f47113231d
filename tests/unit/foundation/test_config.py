"""Settings: flags over environment over TOML over defaults."""

import json
from pathlib import Path
from typing import Any

import pytest

from modelyard.foundation.config import (
    ChannelSettings,
    ListenSettings,
    ProcessSettings,
    SecretStr,
    Section,
    SqlSettings,
)


class Store(Section):
    endpoint: str = "http://127.0.0.1:1"
    """Where the store is."""
    secret_key: SecretStr = SecretStr("default-secret")
    hosts: tuple[str, ...] = ()


class Settings(ProcessSettings):
    server: ListenSettings = ListenSettings(listen="127.0.0.1:1")
    s3: Store = Store()
    sql: SqlSettings = SqlSettings(url=SecretStr("sqlite:///x"))
    limit: int = 1


def load(*argv: str, **environ: str) -> Settings:
    return Settings.load("catalog", argv, environ)


def refused(capsys: pytest.CaptureFixture[str], *argv: str, **environ: str) -> str:
    with pytest.raises(SystemExit) as caught:
        load(*argv, **environ)
    assert caught.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    assert captured.err.count("\n") == 1
    return captured.err


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    path = tmp_path / "catalog.toml"
    path.write_text('limit = 2\n[s3]\nendpoint = "http://toml:2"\n[log]\nlevel = "debug"\n')
    return path


def test_defaults() -> None:
    settings = load()
    assert (settings.limit, settings.s3.endpoint, settings.log.level) == (1, "http://127.0.0.1:1", "info")


def test_a_file_beats_defaults_key_by_key(toml: Path) -> None:
    settings = load("--config", str(toml))
    assert (settings.limit, settings.s3.endpoint, settings.log.level) == (2, "http://toml:2", "debug")
    assert settings.s3.secret_key.get_secret_value() == "default-secret"
    assert settings.log.format == "json"


def test_the_environment_beats_the_file(toml: Path) -> None:
    environ = {"MODELYARD_CATALOG__S3__ENDPOINT": "http://env:3", "MODELYARD_CATALOG__CONFIG": str(toml)}
    settings = load(**environ)
    assert (settings.limit, settings.s3.endpoint) == (2, "http://env:3")


def test_a_flag_beats_the_environment(toml: Path) -> None:
    settings = load("--limit=4", "--s3.endpoint", "http://flag:4", MODELYARD_CATALOG__LIMIT="3")
    assert (settings.limit, settings.s3.endpoint) == (4, "http://flag:4")


def test_flags_may_be_written_with_dashes_and_lists_as_json() -> None:
    settings = load("--s3.secret-key", "x", "--s3.hosts", '["a", "b"]')
    assert settings.s3.secret_key.get_secret_value() == "x"
    assert settings.s3.hosts == ("a", "b")


def test_another_processs_environment_is_not_read() -> None:
    assert load(MODELYARD_SCHEDULER__LIMIT="9", LIMIT="9", limit="9").limit == 1


@pytest.mark.parametrize(
    ("argv", "environ", "sentence"),
    [
        (["--limt=3"], {}, "there is no setting limt"),
        (["--s3.endpont=3"], {}, "there is no setting s3.endpont"),
        ([], {"MODELYARD_CATALOG__S3__REGON": "x"}, "there is no setting s3.regon"),
        (["--limit"], {}, "--limit needs a value"),
        (["limit"], {}, "unexpected argument 'limit'"),
        (["--limit=many"], {}, "limit: Input should be a valid integer"),
        (["--limit.x=1", "--limit.x.y=1"], {}, "x is a single value, not a block"),
        (["--config=/nowhere.toml"], {}, "the settings file /nowhere.toml cannot be read"),
        (["--log.level=loud"], {}, "log.level: Input should be"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    capsys: pytest.CaptureFixture[str], argv: list[str], environ: dict[str, str], sentence: str
) -> None:
    assert sentence in refused(capsys, *argv, **environ)


def test_an_unknown_key_of_a_file_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("[s3]\nendpont = 1\n")
    assert "there is no setting s3.endpont" in refused(capsys, f"--config={path}")
    path.write_text("not toml")
    assert "is not TOML" in refused(capsys, f"--config={path}")


def test_check_config_prints_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        load("--check-config", "--s3.secret_key=hunter2", "--sql.url=postgresql://u:hunter2@h/d")
    assert caught.value.code == 0
    printed = capsys.readouterr().out
    assert "hunter2" not in printed
    assert json.loads(printed)["s3"] == {"endpoint": "http://127.0.0.1:1", "secret_key": "**********", "hosts": []}


def test_check_config_of_bad_settings_fails(capsys: pytest.CaptureFixture[str]) -> None:
    refused(capsys, "--check-config", "--limit=x")


@pytest.mark.parametrize("listen", ["0.0.0.0:8470", "[::]:8470", "10.1.2.3:8470", "modelyard.example:8470"])
def test_listening_for_other_machines_without_tls_is_refused(capsys: pytest.CaptureFixture[str], listen: str) -> None:
    assert "there is no TLS" in refused(capsys, f"--server.listen={listen}")
    files = ["--server.tls_cert_file=/c.pem", "--server.tls_key_file=/k.pem"]
    assert load(f"--server.listen={listen}", *files).server.listen == listen


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "localhost:1", "[::1]:1", "unix:/tmp/x.sock"])
def test_listening_for_this_machine_needs_no_tls(listen: str) -> None:
    assert load(f"--server.listen={listen}").server.listen == listen


def test_half_of_tls_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "go together" in refused(capsys, "--server.tls_cert_file=/c.pem")
    assert "needs tls_cert_file" in refused(capsys, "--server.tls_client_ca_file=/c.pem")


def test_metrics_stay_on_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert "loopback" in refused(capsys, "--metrics.listen=0.0.0.0:9000")


def test_a_missing_setting_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    class Needy(ProcessSettings):
        scheduler: ChannelSettings

    with pytest.raises(SystemExit):
        Needy.load("trainer", [], {})
    assert "the setting scheduler is missing" in capsys.readouterr().err


def test_help_lists_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        load("--help")
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert "--s3.endpoint  Where the store is." in text
    assert "default-secret" not in text
    assert "--server.listen" in text


def test_settings_cannot_be_changed() -> None:
    settings: Any = load()
    with pytest.raises(ValueError, match="frozen"):
        settings.limit = 5
    with pytest.raises(ValueError, match="frozen"):
        settings.s3.endpoint = "x"
