"""A registry's client, while it runs and when it has ended."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from modelyard.sdk.gallery.packages.client import Ran, run
from modelyard.sdk.progress import silent


def test_how_far_a_client_is_shows_in_the_file_that_grows(tmp_path: Path) -> None:
    said: list[tuple[str, int, int]] = []
    writes = "dd if=/dev/zero of=part bs=1000 count=1 status=none; read line < more; echo done"
    fifo = tmp_path / "more"
    os.mkfifo(fifo)

    def progress(stage: str, done: int, total: int) -> None:
        said.append((stage, done, total))
        if done == 1000:
            fifo.write_text("go on\n")

    ran = run(["sh", "-c", writes], tmp_path, 2000, progress, inside=True)
    assert ran == Ran(True, "done\n")
    assert list(dict.fromkeys(done for _, done, _ in said)) == [0, 1000, 2000]


def test_a_client_ends_with_what_asked_for_it(tmp_path: Path) -> None:
    started = tmp_path / "pid"

    def interrupted_once_it_runs(stage: str, done: int, total: int) -> None:
        if started.exists():
            raise KeyboardInterrupt

    command = ["sh", "-c", "echo $$ > new; mv new pid; exec sleep 60"]
    with pytest.raises(KeyboardInterrupt):
        run(command, tmp_path, 1, interrupted_once_it_runs, inside=True)
    assert not Path("/proc", started.read_text().strip()).exists()


def test_a_client_that_fails_is_told_by_its_output(tmp_path: Path) -> None:
    assert run(["sh", "-c", "echo bad >&2; exit 3"], tmp_path, 1, silent) == Ran(False, "bad\n")


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("OSError: [Errno 28] No space left on device", errno.ENOSPC),
        ("E: Failed to fetch http://deb.example/x  write (122: Disk quota exceeded)", errno.EDQUOT),
        ("tar: ./usr: Cannot write: File too large", errno.EFBIG),
        ("npm error nospc ENOSPC: no space left on device, write", errno.ENOSPC),
        ("npm error errno -122\nnpm error Unknown system error -122, write", errno.EDQUOT),
    ],
)
def test_a_client_that_fails_for_want_of_room_is_no_want_of_a_network(said: str, number: int, tmp_path: Path) -> None:
    with pytest.raises(OSError) as full:  # noqa: PT011 - its number is looked at
        run(["sh", "-c", 'echo "$0" >&2; exit 1', said], tmp_path, 1, silent)
    assert full.value.errno == number


ON_A_SMALL_DISK = """
mount -t tmpfs -o size=300k none "$1"
exec "$2" -c "
from pathlib import Path
from modelyard.sdk.gallery.packages.client import run
from modelyard.sdk.progress import silent
run(['sh', '-c', 'cat /dev/zero > zeros'], Path('$1'), 1, silent, inside=True)
"
"""


def may_mount() -> bool:
    """Root in a container may not."""
    return (
        shutil.which("unshare") is not None and subprocess.run(["unshare", "-m", "true"], check=False).returncode == 0
    )


@pytest.mark.skipif(not may_mount(), reason="a small disk needs unshare and the right to mount")
def test_a_client_that_has_filled_the_disk_can_still_say_so(tmp_path: Path) -> None:
    command = ["unshare", "-m", "sh", "-ec", ON_A_SMALL_DISK, "sh", str(tmp_path), sys.executable]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.stderr.endswith("\nOSError: [Errno 28] No space left on device\n")
