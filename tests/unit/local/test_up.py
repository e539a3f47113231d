import socket
import subprocess
import sys
from pathlib import Path

import pytest

from modelyard.local.errors import NotRunning, PortTaken, ProcessDidNotStart
from modelyard.local.folder import DataFolder
from modelyard.local.status import read_status
from modelyard.local.stopping import being_stopped, stop
from modelyard.local.up import Listener, Wanted, _why, check_port, run


@pytest.fixture
def quiet() -> Listener:
    return Listener(lambda store: None, lambda name, what: None, lambda address: None)


def test_a_taken_port_is_said_and_a_free_one_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(PortTaken, match=f"{address} can't be used: Address already in use; .*--port"):
            check_port(address)
    check_port(address)


async def test_up_on_a_taken_port_starts_nothing(tmp_path: Path, quiet: Listener) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(PortTaken):
        await run(Wanted(tmp_path / "data", other.getsockname()[1]), quiet)
    folder = DataFolder(tmp_path / "data")
    assert folder.supervisor() is None
    assert not (folder.root / "store.json").exists()
    assert folder.last_port() is None, "the next one does not try it again by itself"


def test_down_where_nothing_runs_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match=f"nothing runs on {tmp_path}/data"):
        stop(tmp_path / "data")
    assert not (tmp_path / "data").exists()


SUPERVISOR = """
import subprocess, sys

sleeping = "import time; time.sleep(60)"
children = [subprocess.Popen([sys.executable, "-c", sleeping, "-m", name]) for name in sys.argv[1:]]
print(len(children), flush=True)
for _ in sys.stdin:
    children[-1].kill()
    children.pop().wait()
    print(len(children), flush=True)
"""
"""Ends the last of its children with each line that it reads, and prints how many there are."""


def test_who_is_stopped_next_is_told_by_who_is_still_there() -> None:
    modules = ["modelyard.catalog", "modelyard.trainer"]
    command = [sys.executable, "-c", SUPERVISOR, *modules]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as supervisor:
        assert supervisor.stdin
        assert supervisor.stdout
        told = []
        while supervisor.stdout.readline().strip() != "0":
            told.append(being_stopped(supervisor.pid))
            supervisor.stdin.write("\n")
        told.append(being_stopped(supervisor.pid))
        supervisor.stdin.close()
    assert told == ["trainer", "catalog", "store"]


def test_the_status_of_nothing_is_that_nothing_runs(tmp_path: Path) -> None:
    status = read_status(tmp_path / "data")
    assert not status.running
    assert status.to_json()["folder"] == f"{tmp_path}/data"


def test_what_kept_it_from_starting_in_the_background_is_said_once() -> None:
    error = _why("object store: x\nerror: 127.0.0.1:8470 can't be used; choose another [PORT_TAKEN]\n", 5)
    assert (type(error), error.reason) == (PortTaken, "PORT_TAKEN")
    assert error.message == "127.0.0.1:8470 can't be used; choose another"


@pytest.mark.parametrize(
    ("said", "message"),
    [("Killed\n", "Killed"), ("", "`up` ended with status 9"), ("error: odd [1, 2]\n", "odd [1, 2]")],
)
def test_without_a_reason_it_is_what_was_said(said: str, message: str) -> None:
    error = _why(said, 9)
    assert (type(error), error.message) == (ProcessDidNotStart, message)
