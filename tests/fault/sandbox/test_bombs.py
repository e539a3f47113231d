"""T-SBX-02: programs that want everything are ended, each with its reason."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from modelyard.foundation.sandbox.policy import EndKind, Limits, Tier
from tests.support.confinement import MIB, SMALL, both_tiers, run

LATE_S = 2.0
"""How long after it has passed its limit a program may still be there."""

PRELUDE = """
import os, time
def over():
    # From now on it takes too much, or its time runs.
    os.write(1, b"over %r\\n" % time.monotonic())
"""
"""Put before each: it calls `over` when it has all that it may have."""

BOMBS: dict[str, tuple[str, EndKind, str, Limits]] = {
    "forks_and_waits": (
        """
for number in range(2000):
    if number == 32:
        over()
    try:
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
    except OSError:
        time.sleep(0.005)
time.sleep(60)
""",
        EndKind.PIDS,
        "it wanted more than its 32 processes and threads",
        SMALL,
    ),
    "forks_and_fails": (
        """
for number in range(60):
    if number == 31:
        over()
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    time.sleep(0.01)
time.sleep(1.5)
os._exit(1)
""",
        EndKind.PIDS,
        "it wanted more than its 32 processes and threads",
        SMALL,
    ),
    "starts_threads": (
        """
import threading
for number in range(2000):
    if number == 32:
        over()
    try:
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    except RuntimeError:
        time.sleep(0.005)
time.sleep(60)
""",
        EndKind.PIDS,
        "it wanted more than its 32 processes and threads",
        SMALL,
    ),
    "takes_memory": (
        """
held = []
over()
for _ in range(512):
    held.append(b"x" * (1 << 20))
time.sleep(60)
""",
        EndKind.OOM_KILLED,
        "it needed more than its 64 MiB of memory",
        SMALL,
    ),
    "takes_memory_in_many": (
        """
over()
for _ in range(8):
    if os.fork() == 0:
        held = b"x" * (16 << 20)
        time.sleep(60)
time.sleep(60)
""",
        EndKind.OOM_KILLED,
        "it needed more than its 64 MiB of memory",
        SMALL,
    ),
    "fills_the_disk": (
        """
for number in range(64):
    if number == 8:
        over()
    open(str(number), "wb").write(bytes(1 << 20))
    time.sleep(0.02)
time.sleep(60)
""",
        EndKind.DISK_QUOTA,
        "it wrote more than its 8 MiB to the disk",
        SMALL,
    ),
    "fills_the_disk_unseen": (
        """
held = []
for number in range(64):
    if number == 8:
        over()
    held.append(open("file", "wb"))
    os.unlink("file")
    held[-1].write(bytes(1 << 20))
    held[-1].flush()
    time.sleep(0.02)
time.sleep(60)
""",
        EndKind.DISK_QUOTA,
        "it wrote more than its 8 MiB to the disk",
        SMALL,
    ),
    "makes_many_files": (
        """
for number in range(4000):
    if number == 2000:
        over()
    os.close(os.open(str(number), os.O_CREAT))
time.sleep(60)
""",
        EndKind.DISK_QUOTA,
        "it made more than its 2000 files",
        SMALL,
    ),
    "writes_one_long_file": (
        """
with open("file", "wb") as file:
    for number in range(64):
        if number == 4:
            over()
        file.write(bytes(1 << 20))
        file.flush()
""",
        EndKind.DISK_QUOTA,
        "it wanted a file longer than its 4 MiB",
        replace(SMALL, file_bytes=4 * MIB),
    ),
    "makes_a_hole": (
        """
over()
with open("file", "wb") as file:
    file.truncate(1 << 40)
""",
        EndKind.DISK_QUOTA,
        "it wanted a file longer than its 8 MiB",
        SMALL,
    ),
    "hides_in_deep_folders": (
        """
for number in range(400):
    if number == 30:
        over()
    os.mkdir("d" * 100)
    os.chdir("d" * 100)
time.sleep(60)
""",
        EndKind.DISK_QUOTA,
        "it hid what it writes in a folder that can't be looked into: File name too long",
        SMALL,
    ),
    "does_not_end": (
        """
over()
while True: pass
""",
        EndKind.TIMEOUT,
        "it was not done after 1 s",
        replace(SMALL, wall_s=1),
    ),
    "talks_without_end": (
        """
over()
while True: os.write(1, (b"x" * 9_999 + b"\\n") * 100)
""",
        EndKind.TIMEOUT,
        "it was not done after 1 s",
        replace(SMALL, wall_s=1),
    ),
    "does_not_listen": (
        """
import signal
over()
for number in range(1, 65):
    if number not in (signal.SIGKILL, signal.SIGSTOP, 32, 33):
        signal.signal(number, signal.SIG_IGN)
while True:
    time.sleep(60)
""",
        EndKind.TIMEOUT,
        "it was not done after 1 s",
        replace(SMALL, wall_s=1),
    ),
    "stops_itself": (
        """
over()
os.kill(os.getpid(), 19)
""",
        EndKind.TIMEOUT,
        "it was not done after 1 s",
        replace(SMALL, wall_s=1),
    ),
}


@both_tiers
@pytest.mark.parametrize("name", BOMBS)
async def test_it_is_ended_with_its_reason(name: str, tier: Tier, tmp_path: Path) -> None:
    code, kind, message, limits = BOMBS[name]
    ran = await run(tier, PRELUDE + code, tmp_path, limits=limits)
    ended = time.monotonic()
    assert (ran.end.kind, ran.end.message) == (kind, message), ran.text[-2000:]
    (over,) = (float(line.split()[1]) for line in ran.lines if line.startswith("over "))
    late = ended - over - limits.wall_s * (kind is EndKind.TIMEOUT)
    print(f"{name} in {tier}: {kind} {late:.2f} s after its limit")
    assert late <= LATE_S


@both_tiers
async def test_a_thousand_lines_a_second_reach_the_log_and_nothing_else_suffers(tier: Tier, tmp_path: Path) -> None:
    ran = await run(tier, "for n in range(100_000): print(n, 'x' * 50)", tmp_path)
    assert ran.end.ok
    assert len(ran.lines) == 100_000
