"""Packages of the npm registry, brought by npm."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from modelyard.sdk.errors import FailedPrecondition, ModelyardError
from modelyard.sdk.gallery.packages.client import run
from modelyard.sdk.gallery.packages.package import require, unavailable, verify
from modelyard.sdk.progress import Progress

_OLDEST = (7, 18)
"""The first npm that puts an archive where it is told to; those before put it where they run."""
_NOISE = re.compile(r"^npm (error|ERR!)\s*(code\s.*|errno\s.*|syscall\s.*|)\s*")


@dataclass(frozen=True, slots=True)
class Tarball:
    """A package's archive; its scripts are not run and what it depends on is not brought."""

    package: str
    version: str
    digest: str
    """SHA-256."""
    size: int
    client = "npm"

    @property
    def requirement(self) -> str:
        """`emoji-datasource-google@16.0.0`."""
        return f"{self.package}@{self.version}"

    def check(self) -> None:
        """Raise FailedPrecondition: CLIENT_MISSING where there is no npm, CLIENT_TOO_OLD where it can't do this."""
        require("npm", ("npm",), self.requirement, "install Node.js, which brings it")
        version = subprocess.run(["npm", "--version"], capture_output=True, text=True, check=False).stdout.strip()
        numbers = re.match(r"(\d+)\.(\d+)\.", version)
        if numbers and (int(numbers[1]), int(numbers[2])) < _OLDEST:
            raise FailedPrecondition(
                f"{self.requirement} is downloaded by npm 7.18 or a later one, and this machine's is {version}; "
                "install Node.js 16.4 or a later one, which brings it",
                reason="CLIENT_TOO_OLD",
                facts={"client": "npm", "version": version},
            )

    def download(self, folder: Path, progress: Progress) -> Path:
        """Put the archive into `folder`."""
        packed = folder / "packed"
        packed.mkdir()
        command = ["npm", "pack", self.requirement, "--ignore-scripts", "--no-audit", "--no-fund", "--no-color"]
        command += ["--no-update-notifier", "--loglevel", "error", "--cache", str(folder / "cache")]
        ran = run([*command, "--pack-destination", str(packed)], folder, self.size, progress)
        found = list(packed.iterdir())
        if not ran.ok or len(found) != 1:
            raise _failure(self.requirement, ran.said)
        return verify(found[0], self.digest, self.requirement)


def _failure(requirement: str, said: str) -> ModelyardError:
    lines = [text for line in said.splitlines() if (text := _NOISE.sub("", line).strip())]
    why = lines[0].rstrip(".") if lines else "it said nothing"
    return unavailable(requirement, why, "`npm config get registry` says where it was looked for")
