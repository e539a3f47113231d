"""Runs a registry's client and tells how far it is."""

import errno
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from modelyard.sdk.progress import Progress

_LOOK_S = 0.1
_ROOM = 1 << 16
"""Bytes that are there for what a client says, also once it has filled the disk."""
_ENGLISH = {"LC_ALL": "C.UTF-8", "LANGUAGE": ""}
"""What it says is looked through."""
_FULL = {
    errno.ENOSPC: "No space left on device",
    errno.EDQUOT: "Disk quota exceeded",
    errno.EFBIG: "File too large",
}


@dataclass(frozen=True, slots=True)
class Ran:
    """How a client ended."""

    ok: bool
    said: str
    """Its output and errors."""

    def check_room(self) -> None:
        """Raise OSError if it says that the disk is full, or that its user may write no more."""
        for number, words in _FULL.items():
            # npm has no words for some of them.
            if words.lower() in self.said.lower() or f"errno -{number}\n" in self.said:
                raise OSError(number, words)


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
    Raises OSError where it failed for want of room.
    """
    with TemporaryFile(dir=folder) as log:
        log.write(bytes(_ROOM))
        log.seek(0)
        client = subprocess.Popen(
            command,
            cwd=folder if inside else None,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **_ENGLISH, **(env or {})},
        )
        try:
            _follow(client, folder, size, progress)
        finally:
            if client.poll() is None:
                client.terminate()
                client.wait()
        # It writes where this file is at, and so moves that on.
        length = os.lseek(log.fileno(), 0, os.SEEK_CUR)
        log.seek(0)
        ran = Ran(client.returncode == 0, log.read(length).decode(errors="replace"))
    if not ran.ok:
        ran.check_room()
    return ran


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
