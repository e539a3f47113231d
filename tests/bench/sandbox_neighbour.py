"""T-SBX-02: how much of its speed a program keeps while another one beside it takes what it can get.

The floor is the same program beside an ordinary busy one: what it loses to that is its fair share of the machine.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from modelyard.foundation.sandbox.confined import Confined
from modelyard.foundation.sandbox.policy import Limits, Sandbox, Tier
from tests.bench.rows import Row, at_least_times

KEEPS = 0.8
PAIRS = 3
WINDOW_S = 1.0
SETTLED_S = 0.5
"""After its start, before anything is counted."""
LIMITS = Limits(memory_bytes=1 << 30, pids=256, file_bytes=1 << 28, disk_bytes=1 << 30, disk_files=50_000)

STEPS = """
import time
steps, told = 0, time.monotonic()
while True:
    for _ in range(1000):
        steps += 1
    if time.monotonic() - told > 0.02:
        told = time.monotonic()
        print(told, steps, flush=True)
"""
ORDINARY = "while True: pass"
BOMBS = {
    "200 busy processes": """
import os
for _ in range(200):
    if os.fork() == 0:
        os.setsid()
        while True: pass
os.wait()
""",
    "200 busy threads": """
import hashlib, threading
def work():
    while True: hashlib.sha256(data)
data = bytes(1 << 20)
for _ in range(200): threading.Thread(target=work).start()
""",
    "forks without end": """
import os
while True:
    try:
        if os.fork() == 0:
            os.setsid()
            os._exit(0)
        os.waitpid(-1, os.WNOHANG)
    except OSError:
        pass
""",
    "memory, taken and given back": """
while True: bytearray(b"x") * (900 << 20)
""",
    "files, written and removed": """
import os
while True:
    with open("file", "wb", buffering=0) as file:
        for _ in range(64): file.write(bytes(1 << 20))
        os.fsync(file.fileno())
    for number in range(2000): open(f"n{number}", "wb").close()
    for number in range(2000): os.remove(f"n{number}")
""",
    "lines without end": """
import os
while True: os.write(1, b"a line that says nothing much\\n" * 1000)
""",
}


async def rows(folder: Path) -> list[Row]:
    """Steps a second."""
    tier = Tier.FOREIGN
    found = []
    async with _running(tier, STEPS, folder / "neighbour") as neighbour:
        for name, bomb in BOMBS.items():
            ours: list[float] = []
            floor: list[float] = []
            for pair in range(PAIRS):
                for code in (ORDINARY, bomb) if pair % 2 == 0 else (bomb, ORDINARY):
                    async with _running(tier, code, folder / "beside"):
                        await asyncio.sleep(SETTLED_S)
                        (ours if code is bomb else floor).append(await neighbour.speed())
            row = Row(f"neighbour of {name}", ours, "steps/s", floor, "beside one busy program", at_least_times(KEEPS))
            print(row.line(), flush=True)
            found.append(row)
    return found


class _Neighbour:
    """The last that it has told of its steps."""

    def __init__(self) -> None:
        self._told: list[tuple[float, int]] = []

    def take(self, _stream: str, line: str) -> None:
        when, steps = line.split()
        self._told.append((float(when), int(steps)))

    async def speed(self) -> float:
        """Steps a second from now on, for a while; by its own clock."""
        self._told.clear()
        await asyncio.sleep(WINDOW_S)
        (began, first), (ended, last) = self._told[0], self._told[-1]
        return (last - first) / (ended - began)


@contextlib.asynccontextmanager
async def _running(tier: Tier, code: str, folder: Path) -> AsyncIterator[_Neighbour]:
    neighbour = _Neighbour()
    child = await Confined.start(
        Sandbox(tier, (), (_made(folder),), LIMITS),
        [sys.executable, "-I", "-S", "-c", code],
        on_line=neighbour.take if code is STEPS else lambda *_: None,
    )
    try:
        yield neighbour
    finally:
        if not child.running:
            raise RuntimeError(f"{code} did not go on: {(await child.wait()).message}")
        child.kill()
        await child.wait()


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder
