import sys
from pathlib import Path

import pytest

from modelyard.modelhost.adapters.programs import ModelServerMissing, Program, command_line, find_program
from modelyard.modelhost.identity import NotAHostsToken, host_name
from modelyard.modelhost.settings import ModelHostSettings
from tests.support.servers import Issuers
from tests.support.tiny_model_server import install

PROGRAM = Program(("/bin/tfs",), "tfs 1", ("--own=1",))


def line(**options: object) -> list[str]:
    return command_line(
        PROGRAM,
        socket=Path("/run/s.sock"),
        name="digits",
        base=Path("/m"),
        **{"batching": False, **options},  # type: ignore[arg-type]
    )


def test_the_command_line_is_tensorflow_servings() -> None:
    assert line() == [
        "/bin/tfs",
        "--port=0",
        "--grpc_socket_path=/run/s.sock",
        "--model_name=digits",
        "--model_base_path=/m",
        "--file_system_poll_wait_seconds=0",
        "--own=1",
    ]
    assert "--enable_batching=true" in line(batching=True)


def test_more_flags_come_last() -> None:
    assert line(more=("--x=1",))[-1] == "--x=1"


async def test_the_embedded_server_is_our_own_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    for choice in ("auto", "embedded"):
        program = await find_program(choice)
        assert program.argv == (sys.executable, "-m", "modelyard.modelserver")
        assert program.description.startswith("embedded ")


async def test_the_real_one_is_taken_where_it_is_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = install(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = await find_program("auto")
    assert found == Program((str(program),), "tensorflow_model_server 0.0.0-tiny", ())


async def test_a_path_that_is_no_program_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelServerMissing, match="is not a program"):
        await find_program(str(tmp_path / "tfs"))


def test_a_hosts_name_is_in_its_token(issuers: Issuers) -> None:
    token = issuers.token("host", subject="hosts/a")
    assert host_name("", token) == host_name("a", token) == "hosts/a"
    with pytest.raises(NotAHostsToken, match="set up as hosts/b"):
        host_name("b", token)
    for other in (issuers.token(), "", "x", "a.b.c"):
        with pytest.raises(NotAHostsToken):
            host_name("", other)


def test_a_run_folder_too_long_for_a_socket_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--server.target", "127.0.0.1:1", "--identity.token_file", "t", "--work_folder", str(tmp_path)]
    with pytest.raises(SystemExit):
        ModelHostSettings.load("modelhost", [*arguments, "--run_folder", "/" + "x" * 100], {})
    assert "choose a shorter path" in capsys.readouterr().err
