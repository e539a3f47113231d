"""Runs a registry's client and tells how far it is."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelyard.sdk.progress import Progress

_LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class Ran:
    """How a client ended."""

    ok: bool
    said: str
    """Its output and errors."""


def run(
    command: Sequence[str],
    folder: Path,
    size: int,
    progress: Progress,
    env: Mapping[str, str] | None = None,
    *,
    inside: bool = False,
) -> Ran:
    """Run a client that writes below `folder` only, until it ends; it ends with this process' interruption.

    It runs where the user is, whose settings may name files from there; `inside` the folder, if it writes where it is.
    Clients tell a program nothing about how far they are, but their files grow up to `size` bytes.
    """
    said = folder / "client.log"
    with said.open("wb") as log:
        client = subprocess.Popen(
            command,
            cwd=folder if inside else None,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
        )
        try:
            _follow(client, folder, size, progress)
        finally:
            if client.poll() is None:
                client.terminate()
                client.wait()
    return Ran(client.returncode == 0, said.read_text(errors="replace"))


def _follow(client: subprocess.Popen[bytes], folder: Path, size: int, progress: Progress) -> None:
    progress("downloading", 0, size)
    while True:
        try:
            client.wait(_LOOK_S)
        except subprocess.TimeoutExpired:
            progress("downloading", min(_grown(folder), size), size)
        else:
            progress("downloading", size, size)
            return


def _grown(folder: Path) -> int:
    """The largest file, for a client may copy it once it has it. Files come and go meanwhile."""
    largest = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                largest = max(largest, os.stat(os.path.join(place, name)).st_size)  # noqa: PTH116, PTH118
            except FileNotFoundError:
                continue
    return largest
