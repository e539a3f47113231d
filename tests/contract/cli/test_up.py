"""`modelyard up` as a process, up to where it would start something."""

import socket
import subprocess
import sys
from pathlib import Path

from modelyard.local.folder import DataFolder


def up(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "modelyard.cli", "up", "--dir", str(folder), *arguments]
    return subprocess.run(command, cwd=folder.parent, capture_output=True, text=True, check=False, timeout=60)


def test_it_goes_where_it_was_the_last_time_unless_told_otherwise(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        last, other = first.getsockname()[1], second.getsockname()[1]
        with folder.claimed():
            folder.record_port(last)
        again = up(folder.root)
        assert again.stdout == f"port {last}, as the last time; another: --port\n"
        assert f"error: 127.0.0.1:{last} can't be used" in again.stderr
        told = up(folder.root, "--port", str(other))
        assert (told.stdout, told.returncode) == ("", 5)
        assert f"error: 127.0.0.1:{other} can't be used" in told.stderr
    assert folder.last_port() == last, "it was not up anywhere else"
