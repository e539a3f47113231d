"""Ctrl-C at a moment at which Python has nobody to tell."""

import subprocess
import sys
from pathlib import Path

DROPPED = """
import os, signal, sys
from modelyard.cli.__main__ import main

class Dropped:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        while True: pass

class Interrupts:
    def find_spec(self, name, path=None, target=None):
        if name == "modelyard.local.status":
            Dropped()

sys.meta_path.insert(0, Interrupts())
sys.argv = ["modelyard", "status"]
main()
"""


def test_a_ctrl_c_that_an_import_drops_ends_the_command_all_the_same(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DROPPED], cwd=tmp_path, capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.returncode, done.stderr) == (130, "interrupted\n")
