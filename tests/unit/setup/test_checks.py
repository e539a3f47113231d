import socket
from pathlib import Path

import pytest

from deploy.prepare import checks


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 12, 9), (3, 13, 1)])
def test_pythons_that_tensorflow_supports_are_accepted(version: tuple[int, ...]) -> None:
    assert checks.supported(version)


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 10, 13), (3, 14, 0)])
def test_an_older_or_newer_python_is_not(version: tuple[int, ...]) -> None:
    assert not checks.supported(version)


def test_linux_on_x86_and_arm_with_a_new_enough_glibc_has_no_problem() -> None:
    assert checks.machine_problem("Linux", "x86_64", ("glibc", "2.31")) is None
    assert checks.machine_problem("Linux", "aarch64", ("glibc", "2.39")) is None


def test_another_system_is_told_what_it_can_have() -> None:
    assert "pip install ." in (checks.machine_problem("Darwin", "arm64", ("", "")) or "")


@pytest.mark.parametrize("libc", [("glibc", "2.28"), ("", "")])
def test_an_old_or_other_c_library_is_named(libc: tuple[str, str]) -> None:
    problem = checks.machine_problem("Linux", "x86_64", libc)
    assert problem is not None
    assert problem.startswith("the C library is ")
    assert "2.31" in problem


def test_a_python_without_venv_is_told_the_package() -> None:
    assert checks.modules_problem([], "3.11") is None
    assert "apt-get install python3.12-venv" in (checks.modules_problem(["ensurepip"], "3.12") or "")


def test_little_disk_says_how_much_is_there_and_how_much_is_needed() -> None:
    assert checks.disk_problem(6 * 10**9, 6, Path("/data")) is None
    problem = checks.disk_problem(5_900_000_000, 6, Path("/data"))
    assert problem == "/data has 5.9 GB free and set-up needs 6 GB; free some, or clone onto a larger disk"


def test_a_taken_port_says_so_and_a_free_one_does_not() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        problem = checks.port_problem(str(port))
        assert problem is not None
        assert "make demo-down" in problem
        assert f"port {port} " in problem
    assert checks.port_problem(str(port)) is None


@pytest.mark.parametrize("port", ["", "0", "65536", "http", "-1"])
def test_what_is_no_port_is_refused(port: str) -> None:
    assert "choose a number from 1 to 65535" in (checks.port_problem(port) or "")


def test_here_nothing_but_perhaps_the_disk_stands_in_the_way(tmp_path: Path) -> None:
    assert [problem for problem in checks.problems(tmp_path, "", None) if "GB free" not in problem] == []


def test_an_installer_that_is_not_known_or_not_there_is_named_before_anything_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checks.installer_problem("", None) is None
    assert checks.installer_problem("pip", None) is None
    assert checks.installer_problem("uv", "/bin/uv") is None
    assert "UV=/path/to/uv" in (checks.installer_problem("uv", None) or "")
    monkeypatch.setenv("INSTALLER", "conda")
    assert any(problem.startswith("INSTALLER=conda is not known") for problem in checks.problems(tmp_path, "", None))
