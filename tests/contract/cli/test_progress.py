"""Progress is for whoever looks at a terminal, and never among the answers."""

import os
import pty
import subprocess
import sys
from pathlib import Path

CODE = """
from modelyard.cli.bars import counting
with counting("asked", quiet=False) as count:
    for number in range(100):
        count()
        print(number)
"""


def test_answers_go_into_the_file_while_the_terminal_counts(tmp_path: Path) -> None:
    terminal, side = pty.openpty()
    try:
        with (tmp_path / "out").open("w") as out:
            subprocess.run([sys.executable, "-c", CODE], stdout=out, stderr=side, check=True, timeout=30)
        assert (tmp_path / "out").read_text().split() == [str(number) for number in range(100)]
        assert b"100 asked" in os.read(terminal, 1 << 16)
    finally:
        os.close(side)
        os.close(terminal)


def test_nothing_is_counted_where_nobody_looks(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=30)
    assert done.stderr == ""
