import os
import shlex
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from modelyard.local.demo.closing import next_lines
from modelyard.local.demo.data import HeldOut
from modelyard.local.demo.footprint import Footprint, left_behind, take_footprint
from modelyard.local.demo.samples import write_samples
from modelyard.local.folder import DataFolder
from modelyard.sdk.describing import describe
from modelyard.sdk.folder import scan


@pytest.fixture
def data() -> HeldOut:
    labels = np.arange(200, dtype=np.uint8) % 10
    return HeldOut(np.zeros((200, 28, 28, 1), np.uint8) + labels[:, None, None, None], labels)


def test_the_folder_to_try_with_is_a_data_set(tmp_path: Path, data: HeldOut) -> None:
    for _ in range(2):
        samples = write_samples(tmp_path / "demo", data)
        assert len(describe(scan(samples / "my-digits")).sources) == 201
    compile((samples / "client.py").read_text(), "client.py", "exec")


def test_the_lines_to_try_next_are_shell_and_name_files_that_are_there(tmp_path: Path, data: HeldOut) -> None:
    samples = write_samples(tmp_path / "demo", data)
    commands = [line for line in next_lines("127.0.0.1:8571", samples) if line.startswith("  ")]
    assert len(commands) >= 8
    for command in commands:
        subprocess.run(["bash", "-n", "-c", command], check=True)
        for word in shlex.split(command):
            if word.startswith(str(samples)):
                assert Path(word).exists()


def test_the_bodies_to_paste_are_json_once_the_shell_has_filled_them_in(
    tmp_path: Path, data: HeldOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    checks = f'#!{sys.executable} -S\nimport json, sys\njson.loads(sys.argv[sys.argv.index("-d") + 1])\n'
    for name, content in {"grpcurl": checks, "curl": checks, "modelyard": "#!/bin/sh\necho token\n"}.items():
        (bin_folder / name).write_text(content)
        (bin_folder / name).chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(bin_folder / "python"))
    monkeypatch.setenv("PATH", f"{bin_folder}{os.pathsep}{os.environ['PATH']}")
    lines = next_lines("127.0.0.1:8571", write_samples(tmp_path / "demo", data))
    commands = [line.strip() for line in lines if " -d " in line]
    assert len(commands) == 2
    for command in commands:
        assert 'Bearer $(modelyard token print)"' in command
        subprocess.run(["bash", "-c", command], check=True)


def test_what_an_installation_leaves_behind_is_seen(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    with folder.claimed():
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            footprint = take_footprint(folder)
            assert os.getpid() in footprint.processes
            assert port in footprint.ports
            assert f"port {port} is still listened on" in left_behind(folder, footprint)
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(folder.run_folder() / "x.sock"))
        # Stores that other tests share are children of this process as well.
        alone = replace(footprint, processes={}, ports=frozenset({port}))
        found = left_behind(folder, alone)
        assert found == [f"socket {folder.root}/run/x.sock"]
        (folder.root / "run" / "x.sock").unlink()
        assert left_behind(folder, alone) == []


def test_a_process_that_works_in_the_folder_is_left_behind_whoever_started_it(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    with folder.claimed():
        command = [sys.executable, "-c", "input('here\\n')", str(folder.root / "job.json")]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as child:
            assert child.stdout is not None
            child.stdout.readline()
            (found,) = left_behind(folder, None)
            assert found.startswith(f"process {child.pid}: ")
        assert left_behind(folder, None) == []


def test_a_pid_that_was_used_again_is_somebody_else(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    with folder.claimed():
        assert left_behind(folder, Footprint({os.getpid(): "1"}, frozenset(), ())) == []
