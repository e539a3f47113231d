"""How far an installer is, told from outside: wheels that have arrived in its temporary folder, packages unpacked."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Callable  # noqa: UP035 - Python 3.8 reads this


@dataclass(frozen=True)
class Goal:
    packages: int
    size_bytes: int


def goal(lock: str, sizes: str, machine: str) -> Goal:
    """What a lock installs on this machine. `sizes`: package, bytes on x86-64, bytes on arm64; small ones left out."""
    lines = [line for line in lock.splitlines() if "==" in line and not line.startswith((" ", "#"))]
    names = {line.split("==")[0] for line in lines if "win32" not in line}
    column = 2 if machine == "aarch64" else 1
    weights = {row[0]: int(row[column]) for row in (line.split() for line in sizes.splitlines())}
    return Goal(len(names), sum(size for name, size in weights.items() if name in names))


def sentence(aim: Goal, packages: int, size_bytes: int, elapsed_s: float) -> str:
    """While wheels arrive: megabytes and the time left; after that: packages."""
    if packages:
        return f"{min(packages, aim.packages)} of {aim.packages} packages installed"
    expected = max(aim.size_bytes, size_bytes)
    if size_bytes < 1e6 or not expected:
        return f"0 of {aim.packages} packages; {expected / 1e6:.0f} MB to go"
    left_s = elapsed_s * (expected - size_bytes) / size_bytes
    return (
        f"0 of {aim.packages} packages; {size_bytes / 1e6:.0f} of {expected / 1e6:.0f} MB fetched, "
        f"about {left_s // 60:.0f} min {left_s % 60:.0f} s left"
    )


def packages_in(site_packages: Path) -> int:
    return sum(1 for _ in site_packages.glob("*.dist-info"))


def bytes_in(folder: Path) -> int:
    """Size of the wheels anywhere below `folder`, from which the installer removes files and folders meanwhile."""
    total = 0
    for place, _, names in os.walk(folder):  # os.walk passes over a folder that is gone
        for name in names:
            if name.endswith(".whl"):
                try:
                    total += (Path(place) / name).stat().st_size
                except FileNotFoundError:
                    continue
    return total


class Speaker:
    """Passes a text on when it is new and the last one is long enough ago: for logs."""

    def __init__(self, say: Callable[[str], None], every_s: float, now: Callable[[], float]) -> None:
        self._say, self._every_s, self._now = say, every_s, now
        self._text, self._spoke_s = "", float("-inf")

    def __call__(self, text: str) -> None:
        if text != self._text and self._now() - self._spoke_s >= self._every_s:
            self._say(text)
            self._text, self._spoke_s = text, self._now()
